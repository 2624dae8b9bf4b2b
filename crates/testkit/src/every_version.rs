//! One check, run on every release series.

/// For each name a module with a test per series, which calls `checks::<name>(version)` of the module around.
#[macro_export]
macro_rules! on_every_version {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use $crate::Version;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v4_2() { super::checks::$name(Version::V4_2).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v4_4() { super::checks::$name(Version::V4_4).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v5_0() { super::checks::$name(Version::V5_0).await; }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v6_0() { super::checks::$name(Version::V6_0).await; }
        }
    )* };
}
