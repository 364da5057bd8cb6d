//! Why a call to an AWS service failed, in the words of the ports.

use std::error::Error;
use std::iter::successors;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use uptake_pipeline::ports::PortError;

/// The codes with which the services say that the role lacks a permission.
const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException"];

/// Whether the service turned the caller down for want of a permission.
pub(crate) fn is_denied(error: &impl ProvideErrorMetadata) -> bool {
    error.code().is_some_and(|code| DENIED.contains(&code))
}

/// The port's error for a failed call: `grant` is what to allow where the service says that access is denied.
pub(crate) fn port_error<E>(what: String, grant: String, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if is_denied(error) {
        PortError::Denied { what, grant }
    } else {
        PortError::Unavailable {
            what,
            reason: reason(error),
        }
    }
}

/// What the service said, or how far the call came.
fn reason<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => causes(error),
    }
}

/// An error and what led to it, from the outside in.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
