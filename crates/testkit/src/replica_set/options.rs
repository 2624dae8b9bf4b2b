//! What a replica set is made of.

use bson::Document;

use crate::Version;

/// Options of a replica set; each field has a builder method of its own name.
#[derive(Debug, Clone)]
pub struct ReplicaSetOptions {
    /// Server version of every member.
    pub version: Version,
    /// How many members; the first becomes the first primary.
    pub members: usize,
    /// keyFile and a user with the `root` role.
    pub auth: bool,
    /// `requireTLS` with a certificate of an authority of our own; clients need none.
    pub tls: bool,
    /// Name of the set.
    pub name: String,
    /// Oplog size in MB. A small one rolls over quickly.
    pub oplog_mb: u32,
    /// WiredTiger's cache in GB. With 0.25, one transaction above about 25 MB stalls the member.
    pub cache_gb: f64,
    /// More `--setParameter` values.
    pub set_parameters: Vec<(String, String)>,
    /// `enableTestCommands`, for fail points and internal commands.
    pub test_commands: bool,
    /// How long without a primary before an election, in ms. [`crate::ReplicaSet::wait_primary`] does not wait for it.
    pub election_timeout_ms: u32,
    /// Each member has a [`crate::FaultProxy`] before it, whose address stands in the configuration: clients and the other members come
    /// through it, [`crate::ReplicaSet::uri_of`] goes past it.
    pub proxied: bool,
    /// Each member has a socket file, too, in the set's folder.
    pub socket_files: bool,
    /// Fields for a member's entry in the configuration, e.g. `(2, doc! {"hidden": true, "priority": 0})`.
    pub member_settings: Vec<(usize, Document)>,
}

impl Default for ReplicaSetOptions {
    fn default() -> Self {
        ReplicaSetOptions {
            version: Version::default(),
            members: 1,
            auth: false,
            tls: false,
            name: "rs0".into(),
            oplog_mb: 256,
            cache_gb: 0.25,
            set_parameters: Vec::new(),
            test_commands: false,
            election_timeout_ms: 5_000,
            proxied: false,
            socket_files: false,
            member_settings: Vec::new(),
        }
    }
}

macro_rules! builders {
    ($($field:ident: $type:ty),*) => {
        impl ReplicaSetOptions {
            $(#[doc = concat!("With [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}
builders!(version: Version, members: usize, auth: bool, tls: bool, oplog_mb: u32, cache_gb: f64, test_commands: bool, election_timeout_ms: u32,
    proxied: bool, socket_files: bool);

impl ReplicaSetOptions {
    /// With another name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With one more `--setParameter`.
    pub fn set_parameter(mut self, name: &str, value: impl ToString) -> Self {
        self.set_parameters.push((name.into(), value.to_string()));
        self
    }

    /// With fields for the entry of `member` in the set's configuration.
    pub fn member(mut self, member: usize, settings: Document) -> Self {
        self.member_settings.push((member, settings));
        self
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!((1..=7).contains(&self.members), "a replica set has 1 to 7 voting members, not {}", self.members);
        for (member, settings) in &self.member_settings {
            anyhow::ensure!(*member < self.members, "settings for member {member} of {}: {settings}", self.members);
        }
        Ok(())
    }
}
