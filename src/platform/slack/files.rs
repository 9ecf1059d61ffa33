//! A file that somebody uploaded into a form: fetched with the app's token, and from Slack alone.

use reqwest::header::CONTENT_TYPE;
use tracing::warn;
use url::Url;

use super::api::Api;
use crate::chat::ChatError;
use crate::domain::action::people::decode;
use crate::timing::slack::FILE_TIMEOUT;

/// Bytes of a file that anybody would read.
const MOST: usize = 1024 * 1024;

/// An uploaded file, as a submission names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRef {
    /// Empty if Slack did not say.
    pub url: String,
    pub size: u64,
}

impl Api {
    /// The text of an uploaded file, in any of the encodings in which lists are saved.
    pub async fn download(&self, file: &FileRef) -> Result<String, ChatError> {
        let url: Url = file.url.parse().map_err(|_| ChatError::Refused("Slack did not say where it is".into()))?;
        // The token goes with the request: never to another host, nor in the open.
        let origin = url.origin();
        if origin != self.own && origin.ascii_serialization() != "https://files.slack.com" {
            warn!(host = url.host_str(), "a file that is elsewhere is not fetched");
            return Err(ChatError::Refused("the file is not at Slack".into()));
        }
        if file.size > MOST as u64 {
            return Err(too_large());
        }
        let request = self.http.get(url.clone()).bearer_auth(self.bearer()).timeout(FILE_TIMEOUT);
        let mut answer = request.send().await.map_err(|error| self.unanswered(&error, &url))?;
        let status = answer.status();
        let page = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if status.is_redirection() || status.is_success() && page {
            // What Slack shows instead of a file is its sign-in page.
            return Err(ChatError::MissingScope("files:read".into()));
        }
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(ChatError::Unavailable(status.to_string()));
        }
        if !status.is_success() {
            return Err(ChatError::Refused(status.to_string()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unanswered(&error, &url))? {
            if bytes.len() + chunk.len() > MOST {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        decode(&bytes).map_err(ChatError::Refused)
    }
}

fn too_large() -> ChatError {
    ChatError::Refused("the file is larger than 1 MiB".into())
}
