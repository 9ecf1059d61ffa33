//! A picture or another file into a channel or a thread: an address for the file, its bytes there, then the file
//! shown. Only the last step is seen by anybody.

use serde::{Deserialize, Serialize};
use tracing::warn;
use url::Url;

use super::api::Api;
use crate::chat::text::clip;
use crate::chat::{ChatError, Document, MessageId, Picture};
use crate::pace::Rank;
use crate::pace::retry::Retry;

/// Characters of an alternative text; Slack documents 1,000.
const ALT: usize = 1_000;

/// What is shown.
pub(super) struct File<'a> {
    name: &'a str,
    title: &'a str,
    /// Of a picture: the same in words.
    alt: Option<&'a str>,
    media: &'static str,
    content: &'a [u8],
}

impl<'a> File<'a> {
    pub fn of_picture(picture: &'a Picture) -> Self {
        let (name, title) = (&*picture.name, &*picture.title);
        Self { name, title, alt: Some(&picture.alt), media: "image/png", content: &picture.png }
    }

    pub fn of_document(document: &'a Document) -> Self {
        let (name, title) = (&*document.name, &*document.title);
        Self { name, title, alt: None, media: "text/plain; charset=utf-8", content: document.text.as_bytes() }
    }
}

impl Api {
    pub(super) async fn upload(
        &self,
        channel: &str,
        under: Option<&MessageId>,
        file: &File<'_>,
    ) -> Result<(), ChatError> {
        #[derive(Deserialize)]
        struct Place {
            upload_url: String,
            file_id: Box<str>,
        }
        let (length, alt) = (file.content.len().to_string(), file.alt.map(|alt| clip(alt, ALT)));
        let params = [("filename", Some(file.name)), ("length", Some(&*length)), ("alt_txt", alt.as_deref())];
        let Place { upload_url, file_id } = self.get("files.getUploadURLExternal", &params).await?;
        self.put(&upload_url, file).await?;
        self.show(channel, under, &file_id, file.title).await
    }

    /// The bytes. The address lets whoever has it in, so the app's token stays here.
    async fn put(&self, url: &str, file: &File<'_>) -> Result<(), ChatError> {
        let url: Url = url.parse().map_err(|_| ChatError::Refused("an upload address that is none".into()))?;
        let origin = url.origin();
        if origin != self.own && origin.ascii_serialization() != "https://files.slack.com" {
            warn!(host = url.host_str(), "an upload address that leads elsewhere is not used");
            return Err(ChatError::Refused("the upload address is not at Slack".into()));
        }
        let request = self.http.post(url.clone()).header("content-type", file.media).body(file.content.to_vec());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) if answer.status().as_u16() == 429 => Err(ChatError::RateLimited),
            Ok(answer) if answer.status().is_server_error() => Err(ChatError::Unavailable(answer.status().to_string())),
            Ok(answer) => Err(ChatError::Refused(format!("the upload address answered {}", answer.status()))),
            Err(error) => Err(self.unanswered(&error, &url)),
        }
    }

    async fn show(&self, channel: &str, under: Option<&MessageId>, file: &str, title: &str) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Entry<'a> {
            id: &'a str,
            title: &'a str,
        }
        #[derive(Serialize)]
        struct Request<'a> {
            files: [Entry<'a>; 1],
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
        let request = Request { files: [Entry { id: file, title }], channel_id: channel, thread_ts };
        let method = "files.completeUploadExternal";
        match self.post::<Shown>(method, channel, Retry::MayDuplicate, Rank::Background, &request).await {
            Ok(_) => Ok(()),
            Err(ChatError::Unavailable(_)) => Err(ChatError::Unclear),
            Err(error) => Err(error),
        }
    }
}
