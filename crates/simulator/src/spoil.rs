//! Bodies that do not arrive as they were meant to.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, header::CONTENT_LENGTH},
    response::Response,
};
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::faults::Spoiled;

/// Into how many pieces a slow body is cut.
const PIECES: u32 = 20;

/// Time enough to send half a body to a client on the same machine.
const FLUSH: Duration = Duration::from_millis(50);

/// Sends a whole answer the way the fault wants it sent.
pub(crate) fn spoil(mut response: Response, body: Bytes, how: Spoiled) -> Response {
    let half = body.slice(..body.len() / 2);
    let (length, body) = match how {
        Spoiled::Truncated => (body.len(), break_off(half)),
        Spoiled::Cut => (half.len(), Body::from(half)),
        Spoiled::Slow(over) => (body.len(), trickle(body, over)),
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = body;
    response
}

fn break_off(half: Bytes) -> Body {
    let broken = async {
        // Without a pause hyper would close before it has sent the head.
        tokio::time::sleep(FLUSH).await;
        Err(std::io::Error::other("the scenario breaks off here"))
    };
    Body::from_stream(stream::once(async { Ok(half) }).chain(stream::once(broken)))
}

fn trickle(body: Bytes, over: Duration) -> Body {
    let size = body.len().div_ceil(PIECES as usize).max(1);
    Body::from_stream(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(over / PIECES).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, std::io::Error>(piece), rest))
    }))
}
