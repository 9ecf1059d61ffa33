//! Headings of tables, in the words and languages of those who make them.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a column holds, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    Mail,
    Name,
    Role,
    Community,
    Other,
}

/// How likely a column of addresses is the one of the people to invite; the first is likeliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    Work,
    Plain,
    Login,
    Untold,
    Private,
    SomebodyElse,
}

const MAIL: &[&str] = &[
    "mail",
    "courriel",
    "correo",
    "epost",
    "eposta",
    "sahkoposti",
    "メール",
    "邮箱",
    "邮件",
    "電郵",
    "почта",
    "이메일",
    "adresseelectronique",
    "adresselectronique",
    "direccionelectronica",
    "indirizzoelettronico",
    "بريد",
];
/// Words with "mail" in them that mean paper.
const PAPER: &[&str] = &["mailing", "mailstop", "mailcode", "snailmail", "mailroom"];
const LOGIN: &[&str] = &["upn", "userprincipalname", "login", "username", "signin", "logonname", "identifiant"];
const WORK: &[&str] = &[
    "work",
    "business",
    "professional",
    "professionnel",
    "professionnelle",
    "pro",
    "company",
    "corporate",
    "office",
    "enterprise",
    "entreprise",
    "bureau",
    "primary",
    "dienstlich",
    "dienst",
    "geschaftlich",
    "arbeit",
    "firma",
    "firmen",
    "trabajo",
    "empresa",
    "laboral",
    "profesional",
    "profissional",
    "lavoro",
    "aziendale",
    "trabalho",
    "zakelijk",
    "werk",
    "jobb",
    "arbete",
    "organization",
    "organisation",
    "organizational",
];
const PRIVATE: &[&str] = &[
    "private",
    "personal",
    "perso",
    "personnel",
    "personnelle",
    "prive",
    "privee",
    "home",
    "domicile",
    "other",
    "autre",
    "alternate",
    "alternative",
    "secondary",
    "secondaire",
    "second",
    "recovery",
    "secours",
    "backup",
    "privat",
    "private",
    "personlich",
    "personale",
    "privato",
    "privado",
    "casa",
    "pessoal",
    "zuhause",
    "hjem",
    "secundario",
    "otro",
    "outro",
    "old",
    "former",
    "previous",
    "ancien",
    "ancienne",
];
const ELSE: &[&str] = &[
    "manager",
    "managers",
    "supervisor",
    "superior",
    "responsable",
    "boss",
    "vorgesetzter",
    "chef",
    "assistant",
    "sponsor",
    "requester",
    "requestor",
    "requested",
    "approver",
    "emergency",
    "owner",
    "referrer",
    "parent",
    "hr",
    "gestor",
    "jefe",
];
const ROLE: &[&str] =
    &["role", "roles", "rolle", "rol", "ruolo", "papel", "roll", "rola", "funcao", "perfil", "profil"];
const COMMUNITY: &[&str] = &[
    "community",
    "communities",
    "communaute",
    "communautes",
    "comunidad",
    "comunidades",
    "comunita",
    "comunidade",
    "gemeinschaft",
    "tenant",
    "コミュニティ",
];
const NAME: &[&str] = &[
    "name",
    "names",
    "nom",
    "prenom",
    "nombre",
    "apellido",
    "apellidos",
    "nome",
    "cognome",
    "sobrenome",
    "vorname",
    "nachname",
    "surname",
    "firstname",
    "lastname",
    "fullname",
    "displayname",
    "naam",
    "namn",
    "navn",
    "氏名",
    "名前",
    "姓名",
    "team",
    "department",
    "person",
    "user",
];

/// A word or a name as headings are compared: without case, accents and signs.
pub(super) fn folded(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

pub fn heading(cell: &str) -> Heading {
    if cell.len() > 200 || cell.contains('@') {
        return Heading::Other;
    }
    let words = folded(cell);
    let any = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let joined = words.concat();
    if MAIL.iter().any(|m| joined.contains(m)) && !PAPER.iter().any(|p| joined.contains(p)) {
        Heading::Mail
    } else if any(ROLE) && !any(&["job", "business", "team"]) {
        Heading::Role
    } else if any(COMMUNITY) {
        Heading::Community
    } else if any(NAME) || LOGIN.contains(&joined.as_str()) {
        Heading::Name
    } else {
        Heading::Other
    }
}

/// Whose address a column holds, by its heading.
pub fn whose(cell: &str) -> Whose {
    let words = folded(cell);
    let any = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let joined = words.concat();
    // `E-mail 2 Address`, `Email 3`.
    let further = words.iter().any(|w| w.parse::<u32>().is_ok_and(|n| n > 1));
    if any(ELSE) {
        Whose::SomebodyElse
    } else if any(PRIVATE) || further {
        Whose::Private
    } else if heading(cell) == Heading::Mail {
        if any(WORK) { Whose::Work } else { Whose::Plain }
    } else if LOGIN.contains(&joined.as_str()) {
        Whose::Login
    } else {
        Whose::Untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_known_in_the_usual_languages() {
        for mail in [
            "E-mail",
            "EMAIL",
            "Email address",
            "Courriel",
            "Adresse e-mail",
            "E-Mail-Adresse",
            "Correo electrónico",
            "メールアドレス",
            "Adresse électronique",
            "Mail",
        ] {
            assert_eq!(heading(mail), Heading::Mail, "{mail}");
        }
        for role in ["Role", "Rôle", "Ro\u{302}le", "Rolle", "Sekoia role", "Ruolo"] {
            assert_eq!(heading(role), Heading::Role, "{role}");
        }
        for community in ["Community", "Communauté", "Comunidad", "Sekoia_community"] {
            assert_eq!(heading(community), Heading::Community, "{community}");
        }
        for other in ["Mailing address", "Mail stop", "Job role", "Phone", "ana@x.example"] {
            assert_eq!(heading(other), Heading::Other, "{other}");
        }
    }

    #[test]
    fn the_work_address_comes_first_and_others_last() {
        let order = ["Work e-mail", "E-mail", "UserPrincipalName", "Contact", "Personal e-mail", "Manager e-mail"];
        assert!(order.is_sorted_by(|a, b| whose(a) < whose(b)), "{:?}", order.map(whose));
        for private in ["Private Email", "E-mail 2 Address", "Other mail", "Courriel perso", "Email privé"] {
            assert_eq!(whose(private), Whose::Private, "{private}");
        }
        assert_eq!((whose("E-mail 1 - Value"), whose("Courriel professionnel")), (Whose::Plain, Whose::Work));
    }
}
