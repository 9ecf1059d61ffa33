//! Webhooks: what Sekoia's own notification rules send, in payload version 2.
//!
//! There are no rules here: every alert goes to every address, once, in order. What Sekoia does
//! when nobody answers is not documented. Only a loopback address gets anything.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::{Host, Url};

use super::json::rfc3339;
use super::live::Notice;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many deliveries are remembered.
const KEPT: usize = 10_000;

/// The documentation's table of fields and its sample do not agree on the name of the date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDate {
    /// As in the sample.
    #[default]
    CreatedAt,
    /// As in the table.
    Created,
}

/// What became of one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// `alert` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// `created` and so on.
    pub action: String,
    /// How the address answered; none if it did not.
    pub status: Option<u16>,
}

/// Where notifications go. Addresses hold a secret: they are not shown.
#[derive(Default)]
pub(super) struct Webhooks {
    addresses: Mutex<Vec<(WebhookDate, mpsc::UnboundedSender<Value>)>>,
    deliveries: Arc<Mutex<VecDeque<Delivery>>>,
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("addresses", &self.count()).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Sends what happens from now on to an address.
    ///
    /// # Errors
    /// The address is not `http://` on a loopback.
    pub(super) fn add(&self, url: &str, date: WebhookDate) -> Result<(), String> {
        let url: Url = url.parse().map_err(|error| format!("this is not an address: {error}"))?;
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "http" || !local {
            return Err("the sandbox sends to http:// on a loopback address only".to_owned());
        }
        let (sender, mut waiting) = mpsc::unbounded_channel::<Value>();
        let deliveries = Arc::clone(&self.deliveries);
        tokio::spawn(async move {
            while let Some(payload) = waiting.recv().await {
                let status = timeout(PATIENCE, post(&url, &payload)).await.ok().flatten();
                let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
                let delivery = Delivery { kind: text("type"), action: text("action"), status };
                let mut kept = deliveries.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(delivery);
            }
        });
        self.addresses().push((date, sender));
        Ok(())
    }

    pub(super) fn clear(&self) {
        self.addresses().clear();
    }

    pub(super) fn count(&self) -> usize {
        self.addresses().len()
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn tell(&self, notice: &Notice) {
        for (date, sender) in &*self.addresses() {
            // The task at the other end lives as long as its sender.
            let _ = sender.send(payload(notice, *date));
        }
    }

    fn addresses(&self) -> MutexGuard<'_, Vec<(WebhookDate, mpsc::UnboundedSender<Value>)>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn payload(notice: &Notice, date: WebhookDate) -> Value {
    let mut metadata = json!({
        "version": 2,
        "community_uuid": notice.community,
        "avatar_uuid": null,
        "user_uuid": null,
        "permissions": ["SIC_READ_ALERTS"],
    });
    let name = match date {
        WebhookDate::CreatedAt => "created_at",
        WebhookDate::Created => "created",
    };
    metadata[name] = rfc3339(notice.at).into();
    let known = ["uuid", "short_id"].map(|name| (name.to_owned(), notice.attributes[name].clone()));
    let attributes: Value = Value::Object(known.into_iter().collect());
    json!({ "type": notice.kind, "action": notice.action, "attributes": attributes, "metadata": metadata })
}

/// The status of the answer, if there was one.
async fn post(url: &Url, payload: &Value) -> Option<u16> {
    let stream = TcpStream::connect(&*url.socket_addrs(|| None).ok()?).await.ok()?;
    // `localhost` may have been made to lead elsewhere.
    if !stream.peer_addr().ok()?.ip().is_loopback() {
        return None;
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, url.authority())
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(payload.to_string()))
        .ok()?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Some(answer.ok()?.status().as_u16())
}
