//! The pages on which somebody confirms, and what they read afterwards: no script, nothing from elsewhere.

use secrecy::ExposeSecret;

use crate::bot::{Confirmation, PageKey, Part, Purpose};
use crate::chat::text::html as escaped;
use crate::chat::view::minute;

pub const STYLE: &str = include_str!("page.css");

/// What is to be confirmed. `action`: where the button leads. `host`: the identity provider's.
pub fn confirm(confirmation: &Confirmation, action: &str, host: &str) -> String {
    let (heading, then) = match confirmation.purpose {
        Purpose::Approve => ("Approve this?", "Your approval counts when you have signed in there."),
        Purpose::Reveal => {
            ("Create this key?", "When you have signed in there, the key is created, and shown to you once.")
        }
    };
    let Confirmation { title, parts: facts, person, community, request, hash, .. } = confirmation;
    document(
        heading,
        &format!(
            "<p class=\"what\">{}</p>{}<dl><dt>Community</dt><dd>{}</dd><dt>For</dt><dd>{}</dd>\
             <dt>Request</dt><dd>{}</dd><dt>SHA-256</dt><dd><code>{}</code></dd></dl>\
             <form method=\"post\" action=\"{}\"><button>Continue to {}</button></form>\
             <p class=\"note\">{then} If you did not press the button in the chat yourself, close this page and tell \
             your bot administrator.</p>",
            escaped(title),
            parts(facts),
            escaped(community),
            escaped(person),
            escaped(request),
            escaped(hash),
            escaped(action),
            escaped(host),
        ),
    )
}

/// On the way to the identity provider, for browsers that do not go by themselves.
pub fn leave(address: &str, host: &str) -> String {
    let link = format!("<p><a class=\"button\" href=\"{}\">Continue to {}</a></p>", escaped(address), escaped(host));
    document("Sign in", &link)
}

pub fn approved(said: &[Part]) -> String {
    document("Approved", &format!("{}<p class=\"note\">You may close this page.</p>", parts(said)))
}

/// The only place where the secret is shown.
pub fn key(key: &PageKey) -> String {
    document(
        "Your new API key",
        &format!(
            "<p class=\"what\">{} · {}</p><p>It is shown here once, and nowhere else. Save it now:</p>\
             <pre>{}</pre><p>Then press \u{201c}I saved it\u{201d} on the card of request {} in the chat. Unless \
             you do so by {}, the key is revoked.</p>",
            escaped(&key.name),
            escaped(&key.lives),
            escaped(key.secret.expose_secret()),
            escaped(&key.request),
            escaped(&minute(key.confirm)),
        ),
    )
}

/// Why nothing was done.
pub fn refused(said: &[Part]) -> String {
    document("Nothing was done", &parts(said))
}

fn parts(said: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Line(line) => format!("<p>{}</p>", escaped(line)),
        Part::Bullets(lines) => {
            let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
            format!("<ul><li>{}</li></ul>", lines.join("</li><li>"))
        }
    };
    said.iter().map(part).collect()
}

fn document(heading: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{heading} · Sekoia ChatOps</title>\
         <style>{STYLE}</style></head><body><main><h1>{heading}</h1>{body}</main></body></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_typed_is_text() {
        let page = refused(&[Part::Line("<script>alert('x')</script> & \"y\"".into())]);
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }
}
