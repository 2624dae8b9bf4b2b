//! Where backups and slices lie.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Secret, parse_bytes, parse_duration};

#[derive(Debug, Args)]
pub struct StorageArgs {
    /// Where backups and slices lie
    ///
    /// file:///absolute/folder, or s3://bucket/prefix?endpoint=URL&region=NAME&path-style=true for Amazon S3 (without `endpoint`) and
    /// everything that speaks like it, or gs://bucket/prefix, or az://container/prefix?account=NAME. Keys do not belong into the URL.
    #[arg(long, value_name = "URL", help_heading = "Storage")]
    pub storage: Option<String>,

    /// Folder inside the storage that holds this cluster
    ///
    /// Several clusters can share one storage, each in its own folder. Without it, the storage's root is used.
    #[arg(long, value_name = "FOLDER", help_heading = "Storage")]
    pub folder: Option<String>,

    /// Take storage and slicing settings from a PBM configuration
    ///
    /// The YAML that `pbm config --file` takes: `storage` (types s3, minio, filesystem), `pitr.oplogSpanMin` and `pitr.compression` are
    /// read. Options given in any other way win over it.
    #[arg(long, value_name = "FILE", help_heading = "Storage")]
    pub pbm_config: Option<PathBuf>,

    #[command(flatten)]
    pub reach: ReachArgs,
}

/// How a storage is reached, whichever it is.
#[derive(Debug, Clone, Args)]
pub struct ReachArgs {
    /// Give up on a storage request when nothing came for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration, help_heading = "Storage")]
    pub storage_timeout: Duration,

    /// Give up on a connection to the storage after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration, help_heading = "Storage")]
    pub storage_connect_timeout: Duration,

    /// How often a failed storage request is repeated
    ///
    /// The pause between tries grows up to --storage-retry-delay. Requests that can never succeed (wrong credentials, no such
    /// bucket) are not repeated.
    #[arg(long, value_name = "COUNT", default_value_t = 8, help_heading = "Storage")]
    pub storage_retries: usize,

    /// Longest pause between two tries of a storage request
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = parse_duration, help_heading = "Storage")]
    pub storage_retry_delay: Duration,

    /// Access key of the S3 storage
    ///
    /// Without keys, those of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), a web identity token, or
    /// the instance's role are used.
    #[arg(long, value_name = "KEY", requires = "s3_secret_key", help_heading = "S3")]
    pub s3_access_key: Option<Secret>,

    /// Secret key that belongs to the access key
    #[arg(long, value_name = "KEY", requires = "s3_access_key", help_heading = "S3")]
    pub s3_secret_key: Option<Secret>,

    /// Session token that belongs to temporary keys
    #[arg(long, value_name = "TOKEN", requires = "s3_access_key", help_heading = "S3")]
    pub s3_session_token: Option<Secret>,

    /// Trust the certificates of this PEM file as well
    #[arg(long, value_name = "FILE", help_heading = "S3")]
    pub s3_ca_file: Option<PathBuf>,

    /// Accept any certificate from the storage
    ///
    /// Whoever sits in between can then read and change everything. Prefer --s3-ca-file.
    #[arg(long, help_heading = "S3")]
    pub s3_insecure_tls: bool,

    /// Storage class of the objects written
    #[arg(long, value_name = "CLASS", help_heading = "S3")]
    pub s3_storage_class: Option<String>,

    /// Ask the storage to encrypt what it stores
    #[arg(long, value_name = "WHOSE-KEY", value_enum, requires_if("kms", "s3_sse_kms_key"), help_heading = "S3")]
    pub s3_sse: Option<EncryptionChoice>,

    /// Key that the storage's key management service uses
    #[arg(long, value_name = "KEY-ID", help_heading = "S3")]
    pub s3_sse_kms_key: Option<String>,

    /// Key of our own that the storage encrypts with: 32 bytes in base64
    ///
    /// The storage keeps no copy. Objects written with it cannot be read without it.
    #[arg(long, value_name = "BASE64", conflicts_with_all = ["s3_sse", "s3_sse_kms_key"], help_heading = "S3")]
    pub s3_sse_customer_key: Option<Secret>,

    /// Size of the parts in which large objects are uploaded
    ///
    /// At least 5 MiB. An object has at most 10,000 parts; parts grow by themselves where that would not be enough.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_bytes, help_heading = "S3")]
    pub s3_part_size: u64,

    /// Key of the service account that may use the bucket: the JSON file Google made
    ///
    /// Without it, the file that GOOGLE_APPLICATION_CREDENTIALS names or the instance's account is used.
    #[arg(long, value_name = "FILE", help_heading = "Google Cloud and Azure")]
    pub gcs_service_account_file: Option<PathBuf>,

    /// Key of the Azure storage account
    ///
    /// Without it, the AZURE_* variables of the environment or the machine's identity are used.
    #[arg(long, value_name = "KEY", help_heading = "Google Cloud and Azure")]
    pub azure_account_key: Option<Secret>,

    /// Encrypt what is written, with a key of our own
    ///
    /// Needed once, for the first thing that is written into a folder; from then on the key alone says it. Everything in the folder is then encrypted
    /// before it leaves this machine, and only oplogue with this key can read it: Percona Backup for MongoDB cannot. Names, sizes and times of
    /// objects stay visible.
    #[arg(long, help_heading = "Encryption")]
    pub encrypt: bool,

    /// File with the key of an encrypted folder: 32 bytes, hexadecimal or in base64
    ///
    /// `openssl rand -hex 32 > key` makes one. Keep a copy elsewhere: without it, what was encrypted is lost.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase", "passphrase_file"], help_heading = "Encryption")]
    pub key_file: Option<PathBuf>,

    /// File with the passphrase of an encrypted folder
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase", help_heading = "Encryption")]
    pub passphrase_file: Option<PathBuf>,

    /// Passphrase of an encrypted folder
    ///
    /// Others on this machine can see what is typed here: prefer the environment variable or a file.
    #[arg(long, value_name = "WORDS", help_heading = "Encryption")]
    pub passphrase: Option<Secret>,
}

/// Whose key the storage encrypts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncryptionChoice {
    /// A key of the storage (SSE-S3)
    S3,
    /// A key of its key management service (SSE-KMS)
    Kms,
}
