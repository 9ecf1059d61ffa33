//! The page on which somebody says who they are.

use super::Identity;
use crate::chat::text::html as escaped;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:26rem;color:#1c1e26;\
background:#f6f7f9}h1{font-size:1.25rem}p.mark{background:#fff3cd;border:1px solid #d9b84a;border-radius:.4rem;\
padding:.6rem .8rem}button{display:block;width:100%;font:inherit;text-align:left;padding:.7rem .9rem;margin:.5rem 0;\
border:1px solid #9aa1b1;border-radius:.4rem;background:#fff;color:inherit}button small{display:block;color:#555b6b}\
button.no{border-color:transparent;background:none;text-decoration:underline}";

/// `action`: where the choice goes. `request`: the sign-in that it is for.
pub(super) fn choose(action: &str, request: &str, people: &[Identity]) -> String {
    let person = |person: &Identity| {
        let (subject, name, email) = (escaped(&person.subject), escaped(&person.name), escaped(&person.email));
        format!("<button name=\"subject\" value=\"{subject}\">{name}<small>{email}</small></button>")
    };
    let people: String = people.iter().map(person).collect();
    document(&format!(
        "<h1>Who are you?</h1>\
         <p class=\"mark\">This is the demo's own identity provider. It asks for no password: it stands in for the one \
         of your organisation.</p>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"request\" value=\"{}\">{people}\
         <button class=\"no\" name=\"subject\" value=\"\">Do not sign in</button></form>",
        escaped(action),
        escaped(request),
    ))
}

/// What cannot be answered with a redirect.
pub(super) fn refused(why: &str) -> String {
    document(&format!("<h1>This sign-in cannot go on</h1><p>{}</p>", escaped(why)))
}

fn document(body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Demo identity provider</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
}
