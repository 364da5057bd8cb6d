//! Where an operator's command works: in the folder of a laptop, or in the bucket of a deployment.
//!
//! With the second, everything is as for the Lambdas: `UPTAKE_STORE` is `s3://…`, secrets may be `_PARAMETER`s of SSM, and
//! whoever gives the command needs the permissions that the README of the function names.

use uptake_lake::Lake;
use uptake_pipeline::config::{Bucket, Environment, Face};
use uptake_pipeline::erase::Kept;
use uptake_pipeline::outcome::PipelineError;
use uptake_pipeline::ports::{Files, Metrics, Ports, Secrets, SystemClock, Versions};

use crate::folder::{Folder, NoParameters};
use crate::terminal::TerminalProgress;

/// What the environment says of the place.
pub(crate) enum Address {
    Folder(Folder),
    Buckets { store: Bucket, engagement: Bucket },
}

impl Address {
    /// The environment, read as a laptop's or as a deployment's.
    pub(crate) fn environment(get: &dyn Fn(&str) -> Option<String>) -> Environment<'_> {
        let is_bucket = get("UPTAKE_STORE").is_some_and(|store| store.starts_with("s3://"));
        let face = if is_bucket { Face::Lambda } else { Face::CommandLine };
        Environment::new(face, get)
    }

    pub(crate) fn read(environment: &mut Environment<'_>) -> Option<Self> {
        Some(match environment.face() {
            Face::CommandLine => Self::Folder(crate::folder(environment)?),
            Face::Lambda => {
                let store = environment.bucket()?;
                let engagement = environment.engagement_bucket(&store)?;
                Self::Buckets { store, engagement }
            }
        })
    }

    pub(crate) async fn connect(self) -> anyhow::Result<Place> {
        match self {
            Self::Folder(folder) => Ok(Place::Folder(folder)),
            Self::Buckets { store, engagement } => deployment(store, engagement).await,
        }
    }
}

#[cfg(feature = "aws")]
async fn deployment(bucket: Bucket, engagement: Bucket) -> anyhow::Result<Place> {
    use uptake_aws::adapters::{Adapters, Stores};
    let adapters = Adapters::connect(Stores { bucket, engagement }).await;
    let objects = adapters.engagement_objects();
    Ok(Place::Deployment(Box::new(Deployment { adapters, objects })))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with AWS there is something to wait for")]
async fn deployment(store: Bucket, _engagement: Bucket) -> anyhow::Result<Place> {
    anyhow::bail!(
        "this `uptake` was built without AWS and cannot reach s3://{}; build it with `cargo build --release --package uptake-cli --features aws`",
        store.name
    )
}

/// The place, ready to work in.
pub(crate) enum Place {
    Folder(Folder),
    #[cfg(feature = "aws")]
    Deployment(Box<Deployment>),
}

/// A deployment's buckets, metrics and parameters.
#[cfg(feature = "aws")]
pub(crate) struct Deployment {
    adapters: uptake_aws::adapters::Adapters,
    objects: uptake_aws::s3::Bucket,
}

impl Place {
    pub(crate) fn files(&self) -> &dyn Files {
        match self {
            Self::Folder(folder) => folder,
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => &deployment.adapters.files,
        }
    }

    fn metrics(&self) -> &dyn Metrics {
        match self {
            Self::Folder(folder) => folder,
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => &deployment.adapters.metrics,
        }
    }

    pub(crate) fn secrets(&self) -> &dyn Secrets {
        match self {
            Self::Folder(_) => &NoParameters,
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => &deployment.adapters.secrets,
        }
    }

    /// What is left of earlier versions of the engagement tables.
    pub(crate) fn versions(&self) -> &dyn Versions {
        match self {
            Self::Folder(folder) => folder,
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => &deployment.objects,
        }
    }

    /// What is left of everything as it was.
    pub(crate) fn kept(&self) -> Kept<'_> {
        let store: &dyn Versions = match self {
            Self::Folder(folder) => folder,
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => &deployment.adapters.files,
        };
        Kept {
            store,
            engagement: self.versions(),
        }
    }

    pub(crate) async fn lake(&self) -> Result<Lake, PipelineError> {
        match self {
            Self::Folder(folder) => folder.lake(),
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => deployment.adapters.lake().await,
        }
    }

    pub(crate) async fn engagement_lake(&self) -> Result<Lake, PipelineError> {
        match self {
            Self::Folder(folder) => folder.engagement_lake(),
            #[cfg(feature = "aws")]
            Self::Deployment(deployment) => deployment.adapters.engagement_lake().await,
        }
    }

    pub(crate) fn ports<'a>(&'a self, progress: &'a TerminalProgress) -> Ports<'a> {
        Ports {
            files: self.files(),
            metrics: self.metrics(),
            clock: &SystemClock,
            progress,
        }
    }
}
