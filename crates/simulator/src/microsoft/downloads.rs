//! Reports at an address of their own, on another origin that wants no token: the address is the permission.

use std::{collections::HashMap, sync::Arc, sync::Mutex, time::Duration};

use axum::{
    extract::{Path, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};

use super::{active_users, refusal::Refusal, usage_report};
use crate::world::{World, lock};

/// Addresses that are kept; whoever asks for more of them has lost the older ones.
const MOST_ADDRESSES: usize = 1000;

/// What can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    /// The Copilot usage report of a refresh date, or its columns only.
    Usage {
        refresh: Option<i64>,
        asked: usage_report::Asked,
    },
    /// The active-user report of a refresh date, or its columns only.
    ActiveUsers {
        refresh: Option<i64>,
        asked: active_users::Asked,
    },
}

/// The addresses given out so far.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    given_out: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    /// What is there, and until when, on the simulator's clock.
    files: HashMap<String, (File, Duration)>,
}

impl Downloads {
    /// Sends a client to a new address of this file.
    pub(super) fn redirect(&self, file: File, world: &World) -> Response {
        let lifetime = Duration::from_secs(world.settings.scenario.download_seconds);
        let mut given = lock(&self.given_out);
        if given.files.len() >= MOST_ADDRESSES {
            given.files.clear();
        }
        given.count += 1;
        let token = format!("simulated{:08}", given.count);
        let address = format!("{}/_downloads/{token}", world.downloads_url);
        given.files.insert(token, (file, world.clock.elapsed() + lifetime));
        let mut response = StatusCode::FOUND.into_response();
        if let Ok(value) = HeaderValue::from_str(&address) {
            response.headers_mut().insert(LOCATION, value);
        }
        response
    }
}

/// `GET /_downloads/{token}`
pub(super) async fn download(State(world): State<Arc<World>>, Path(token): Path<String>) -> Result<Response, Refusal> {
    let given = lock(&world.microsoft.downloads.given_out).files.get(&token).copied();
    let is_good = |(_, until): &(File, Duration)| world.clock.elapsed() < *until;
    let (file, _) = given.filter(is_good).ok_or(Refusal::NoDownload)?;
    let body = world.microsoft.file(file);
    Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
