//! A picture into a channel or a thread: an address for the file, its bytes there, then the file
//! shown. Only the last step is seen by anybody.

use serde::{Deserialize, Serialize};
use tracing::warn;
use url::Url;

use super::api::Api;
use crate::chat::text::clip;
use crate::chat::{ChatError, MessageId, Picture};
use crate::pace::Rank;
use crate::pace::retry::Retry;

/// Characters of an alternative text; Slack documents 1,000.
const ALT: usize = 1_000;

impl Api {
    pub(super) async fn upload(
        &self,
        channel: &str,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError> {
        #[derive(Deserialize)]
        struct Place {
            upload_url: String,
            file_id: Box<str>,
        }
        let (length, alt) = (picture.png.len().to_string(), clip(&picture.alt, ALT));
        let params = [("filename", Some(&*picture.name)), ("length", Some(&length)), ("alt_txt", Some(&alt))];
        let Place { upload_url, file_id } = self.get("files.getUploadURLExternal", &params).await?;
        self.put(&upload_url, picture).await?;
        self.show(channel, under, &file_id, &picture.title).await
    }

    /// The bytes. The address lets whoever has it in, so the app's token stays here.
    async fn put(&self, url: &str, picture: &Picture) -> Result<(), ChatError> {
        let url: Url = url.parse().map_err(|_| ChatError::Refused("an upload address that is none".into()))?;
        let origin = url.origin();
        if origin != self.own && origin.ascii_serialization() != "https://files.slack.com" {
            warn!(host = url.host_str(), "an upload address that leads elsewhere is not used");
            return Err(ChatError::Refused("the upload address is not at Slack".into()));
        }
        let request = self.http.post(url).header("content-type", "image/png").body(picture.png.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().as_u16() == 429 => Err(ChatError::RateLimited),
            Ok(answer) if answer.status().is_server_error() => Err(ChatError::Unavailable(answer.status().to_string())),
            Ok(answer) => Err(ChatError::Refused(format!("the upload address answered {}", answer.status()))),
            // The error's own text would show the address, which is a secret.
            Err(e) if e.is_timeout() => Err(ChatError::Unavailable("no answer in time".into())),
            Err(_) => Err(ChatError::Unavailable("no connection".into())),
        }
    }

    async fn show(&self, channel: &str, under: Option<&MessageId>, file: &str, title: &str) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct File<'a> {
            id: &'a str,
            title: &'a str,
        }
        #[derive(Serialize)]
        struct Request<'a> {
            files: [File<'a>; 1],
            channel_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            thread_ts: Option<&'a str>,
        }
        #[derive(Deserialize)]
        struct Shown {
            #[serde(rename = "ok")]
            _ok: bool,
        }
        let thread_ts = under.map(|message| &*message.0);
        let request = Request { files: [File { id: file, title }], channel_id: channel, thread_ts };
        let method = "files.completeUploadExternal";
        match self.post::<Shown>(method, channel, Retry::MayDuplicate, Rank::Background, &request).await {
            Ok(_) => Ok(()),
            Err(ChatError::Unavailable(_)) => Err(ChatError::Unclear),
            Err(error) => Err(error),
        }
    }
}
