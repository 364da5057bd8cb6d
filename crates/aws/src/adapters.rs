//! Every port on AWS, connected from one configuration of the SDK.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use uptake_pipeline::config;
use uptake_pipeline::ports::{Clock, Ports, SystemClock, Unwatched};

use crate::cloudwatch::CloudWatch;
use crate::cloudwatch_logs::CloudWatchLogs;
use crate::kms::KeyService;
use crate::s3::Bucket;
use crate::ses::Ses;
use crate::ssm::ParameterStore;

/// Longer than a connection inside a region ever takes; a function without a way out says so soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Enough for the largest report or mail, and less than what the mailer keeps for one hand-over (15 s): a mail is better
/// known to be in doubt than cut off with the function.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(12);

/// Where a function keeps things.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Everything but the engagement tables.
    pub bucket: config::Bucket,
    /// The engagement tables.
    pub engagement: config::Bucket,
}

/// The ports of one function.
pub struct Adapters {
    /// The store.
    pub files: Bucket,
    /// The figures.
    pub metrics: CloudWatch,
    /// The events.
    pub logs: CloudWatchLogs,
    /// Mails.
    pub mail: Ses,
    /// Secrets.
    pub secrets: ParameterStore,
    /// The time.
    pub clock: Arc<dyn Clock>,
    pub(crate) config: SdkConfig,
    /// Made when a queue is first asked for: most functions have none.
    pub(crate) queues: OnceLock<aws_sdk_sqs::Client>,
    pub(crate) bucket: config::Bucket,
    pub(crate) engagement: config::Bucket,
}

impl Adapters {
    /// Connects with what the environment offers: region, role, and an endpoint where one is set.
    ///
    /// Nothing is sent yet, so that a missing permission is reported by the call that needs it.
    pub async fn connect(stores: Stores) -> Self {
        let Stores { bucket, engagement } = stores;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .load()
            .await;
        Self {
            files: Bucket::new(s3_client(&config), bucket.name.clone(), &bucket.prefix),
            metrics: CloudWatch::new(aws_sdk_cloudwatch::Client::new(&config)),
            logs: CloudWatchLogs::new(aws_sdk_cloudwatchlogs::Client::new(&config)),
            mail: Ses::new(&config),
            secrets: ParameterStore::new(
                aws_sdk_ssm::Client::new(&config),
                KeyService::new(aws_sdk_kms::Client::new(&config)),
            ),
            clock: Arc::new(SystemClock),
            config,
            queues: OnceLock::new(),
            bucket,
            engagement,
        }
    }

    /// The objects that the engagement tables are made of.
    pub fn engagement_objects(&self) -> Bucket {
        let config::Bucket { name, prefix } = &self.engagement;
        Bucket::new(s3_client(&self.config), name.clone(), prefix)
    }

    /// What every use case needs.
    pub fn ports(&self) -> Ports<'_> {
        Ports {
            files: &self.files,
            metrics: &self.metrics,
            clock: &*self.clock,
            progress: &Unwatched,
        }
    }
}

/// A stand-in for AWS answers on one host, where a bucket cannot be a subdomain.
fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let stand_in = config.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(config)
            .force_path_style(stand_in)
            .build(),
    )
}
