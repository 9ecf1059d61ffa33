//! Whole lists, as they arrive; and what holds of any list at all.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::action::people::*;

/// A line a row: where it stands and who it is, or why it is nobody.
fn told(text: &str) -> String {
    let people = match read("", text) {
        Ok(people) => people,
        Err(problem) => return format!("? {}", problem.text.plain()),
    };
    let row = |row: &Row| match &row.found {
        Ok(Entry { address, others, role, communities }) => {
            let mut said = row.place.says(address);
            if !others.is_empty() {
                said.push_str(&format!(" (not {})", others.join(", ")));
            }
            if let Some(role) = role {
                said.push_str(&format!(" as {role}"));
            }
            if !communities.is_empty() {
                said.push_str(&format!(" to {}", communities.join(" + ")));
            }
            said
        }
        Err(why) => format!("- {}", row.place.says(why)),
    };
    let rows: Vec<String> = people.rows.iter().map(row).chain(people.notes.iter().map(|n| format!("! {n}"))).collect();
    rows.join("\n").replace(".example", "")
}

#[test]
fn tables_of_office_and_directories_are_read() {
    let two = "row 2 ana@n\nrow 3 bo@n";
    for table in [
        "Prénom;Nom;Courriel\r\nAna;Roy;ana@n.example\r\nBo;Lind;bo@n.example\r\n",
        "name\temail\nAna\tana@n.example\nBo\tbo@n.example",
        "sep=;\r\nName;E-mail\r\nAna;ana@n.example\r\nBo;bo@n.example\r\n",
        "\"sep=,\"\nName,E-mail\nAna,ana@n.example\nBo,bo@n.example\n",
        "Name|E-mail|Team\nAna|ana@n.example|night\nBo|bo@n.example|day",
        "Name,Mailing address,E-mail\nAna,\"12 Quay St, Bristol\",ana@n.example\nBo,\"3 Mill Rd, York\",bo@n.example",
        "名前,メールアドレス\nアナ,ana@n.example\nボ,bo@n.example",
        "Nume,Adresă\nAna,ana@n.example\nBo,bo@n.example",
        "\u{feff}email,name\rana@n.example,Ana\rbo@n.example,Bo",
        "E-mail,Name\n\"Roy, Ana\" <ana@n.example>,Ana\nBo Lind <bo@n.example>,Bo",
        "Name,E-mail\nAna,mailto:Ana@N.example?subject=Hi\nBo,*bo@n.example*",
    ] {
        assert_eq!(told(table), two, "{table}");
    }
    for (table, rows) in [
        (
            "#TYPE Selected.User\n\"Name\",\"Mail\"\n\"Ana\",\"ana@n.example\"\n\"Bo\",\"bo@n.example\"",
            "row 3 ana@n\nrow 4 bo@n",
        ),
        (
            "SOC team 2027;;\n;;\nName;E-mail;Team\nAna;ana@n.example;night\nBo;bo@n.example;day",
            "row 4 ana@n\nrow 5 bo@n",
        ),
        ("People\n\n\nName,E-mail\n\nAna,ana@n.example\n", "row 6 ana@n"),
        ("Name,Address,E-mail\nAna,\"1 Quay\nBristol\",ana@n.example\nBo,York,bo@n.example", two),
        ("Ana;ana@n.example\nBo;bo@n.example", "row 1 ana@n\nrow 2 bo@n"),
        ("| Name | E-mail |\n|---|---|\n| Ana | ana@n.example |\n| Bo | bo@n.example |", "row 3 ana@n\nrow 4 bo@n"),
        (
            "Contact: boss@n.example,\nName,E-mail\nAna,ana@n.example",
            "- row 1 stands above the headings (boss@n)\nrow 3 ana@n",
        ),
        ("Name,E-mail\nAna,ana@n.example\nName,E-mail\nBo,bo@n.example", "row 2 ana@n\nrow 4 bo@n"),
        ("E-mail\nana@n.example\n\"bo@n.example\"", "line 2 ana@n\nline 3 bo@n"),
    ] {
        assert_eq!(told(table), rows, "{table}");
    }
}

#[test]
fn a_row_that_is_nobody_is_named() {
    for (table, rows) in [
        (
            "name,team,email\nAna,night,ana@n.example\nBo Lind,day,\nCy,day,cy@n.example",
            "row 2 ana@n\n- row 3 has no address (Bo Lind day)\nrow 4 cy@n",
        ),
        ("name,team,email\nBo Lind,day,\nCy,day,cy@n.example", "- row 2 has no address (Bo Lind day)\nrow 3 cy@n"),
        (
            "name,team,email\nAna,night,ana@n.example\nbo@n.example\nCy,day,cy@n.example",
            "row 2 ana@n\nrow 3 bo@n\nrow 4 cy@n",
        ),
        (
            "name,email,role\nAna,ana@n.example,Guest\nbo@n.example\nLind, Cy,cy@n.example,Guest",
            "row 2 ana@n as Guest\n- row 3 has 1 cell where the headings have 3, so its columns are not certain\n- row 4 has 4 cells where the headings have 3, so its columns are not certain",
        ),
        (
            "name,email\nAna,ana@n.example\nBo,n/a\nCy,cy@n\nDi,\"di@n.example, was dora\"",
            "row 2 ana@n\n- row 3: \"n/a\" is no e-mail address\n- row 4: \"cy@n\" is no e-mail address\n- row 5: \"di@n, was dora\" is more than an address",
        ),
        (
            "name,email\nAna,\"ana@n.example; a.roy@n.example\"\nBo,\"bo@n.example\nbo@n.example\"",
            "row 2 ana@n (not a.roy@n)\nrow 3 bo@n",
        ),
        (
            "name,email\nAna,*ana@n.example\nBo,bo@n.example",
            "- row 2: \"*ana@n\" begins or ends before the @ with a sign that addresses do not have there\nrow 3 bo@n",
        ),
        (
            "name,email\nAna,ana@n.example (ana@evil.example)\nTotal: 2,",
            "- row 2 names two addresses, ana@n and ana@evil: keep the one that is meant\n- row 3 has no address (Total: 2)",
        ),
        ("email\nnobody\n", "- line 2 has no address (nobody)"),
    ] {
        assert_eq!(told(table), rows, "{table}");
    }
    assert_eq!(
        told("name,email\n\"Ana,ana@n.example\nBo \"B\" Lind,bo@n.example\nCy,cy@n.example"),
        "? Row 2 has a quotation mark (\") that is not closed. Remove it, or close it."
    );
}

#[test]
fn the_column_is_chosen_by_its_cells_and_asked_for_where_two_are_meant() {
    let table =
        |heads: &str| told(&format!("Name,{heads}\nAna,ana@a.example,ana@b.example\nBo,bo@a.example,bo@b.example"));
    for (heads, at, note) in [
        ("Work e-mail,Private e-mail", "a", "Work e-mail"),
        ("E-mail,Business e-mail", "b", "Business e-mail"),
        ("Personal mail,Mail", "b", "Mail"),
        ("E-mail,E-mail 2", "a", "E-mail"),
        ("Manager e-mail,E-mail", "b", "E-mail"),
        ("Courriel perso,Courriel pro", "b", "Courriel pro"),
        ("UserPrincipalName,mail", "b", "mail"),
    ] {
        assert_eq!(table(heads), format!("row 2 ana@{at}\nrow 3 bo@{at}\n! Addresses are from \"{note}\"."), "{heads}");
    }
    let either = "either could be meant. Rename the one that is meant \"Work e-mail\", or remove the others.";
    assert_eq!(table("E-mail,Mail"), format!("? Addresses stand in \"E-mail\" and in \"Mail\", and {either}"));
    assert_eq!(
        told("Ana,ana@a.example,ana@b.example\nBo,bo@a.example,bo@b.example"),
        format!("? Addresses stand in column 2 and in column 3, and {either}")
    );
    // The same in both is no question.
    let same = told("Name,E-mail,Mail\nAna,ana@a.example,ana@a.example\nBo,bo@a.example,");
    assert_eq!(same, "row 2 ana@a\nrow 3 bo@a\n! Addresses are from \"E-mail\".");
    assert!(
        told("Name,Manager e-mail\nAna,boss@a.example\nBo,boss@a.example")
            .starts_with("? The only addresses stand under")
    );
    assert!(
        told("Name,E-mail,Private e-mail\nAna,,ana@b.example\nBo,,bo@b.example")
            .starts_with("? \"E-mail\" holds no addresses")
    );
    assert!(
        told("Name,Role,Rôle,E-mail\nAna,Guest,Admin,ana@a.example").starts_with("? \"Role\" and \"Rôle\" could each")
    );
    assert_eq!(
        told("Name,E-mail,Private e-mail\nAna,ana@a.example,ana@b.example\nBo,,bo@b.example"),
        "row 2 ana@a\n- row 3 has no address (Bo bo@b)\n! Addresses are from \"E-mail\"."
    );
}

#[test]
fn a_role_and_communities_of_a_row_are_its_own() {
    assert_eq!(
        told(
            "Name;E-mail;Rôle;Communauté\nAna;ana@n.example;Analyst;Nimbus\nBo;bo@n.example;;\"A; B\"\nCy;cy@n.example;Guest;"
        ),
        "row 2 ana@n as Analyst to Nimbus\nrow 3 bo@n to A + B\nrow 4 cy@n as Guest"
    );
    assert_eq!(told("Name,Job role,E-mail\nAna,Lead,ana@n.example\nBo,Lead,bo@n.example"), "row 2 ana@n\nrow 3 bo@n");
}

#[test]
fn a_pasted_list_says_its_lines() {
    assert_eq!(
        told("Hello,\nplease add them, thanks\n• ana@n.example\n2. Bo Lind\tbo@n.example\n\nCy"),
        "- line 1 has no address (Hello)\n- line 2 has no address (please add them thanks)\nline 3 ana@n\nline 4 bo@n\n- line 6 has no address (Cy)"
    );
    assert_eq!(told("ana@n.example bob, cy@n.example"), "ana@n\n- \"bob\" has no address\ncy@n");
}

/// Pieces of lists, with everything that stands between them.
fn listed() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "ana@n.example",
        "Bo.Lind@N.example",
        "zoe@müller.example",
        "*cy@n.example*",
        "_di@n.example",
        "mailto:ed@n.example",
        "Ana Roy",
        "Lind, Bo",
        "name",
        "E-mail",
        "Work e-mail",
        "Role",
        "Analyst",
        "nobody@",
        "@",
        "a@b@c",
        "“fay@n.example”",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\n\n",
        " ",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "'",
        "•",
        "- ",
        "3. ",
        "sep=;\n",
        "#TYPE x\n",
        "\u{200b}",
        "\u{feff}",
        "é",
        "?subject=x",
        "=",
    ]);
    prop_oneof![vec(piece, 0..60).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn any_bytes_are_text_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(text) = decode(&bytes) {
            let _ = read(&text, &text);
        }
    }

    #[test]
    fn every_address_stands_in_the_list_and_has_one_form(text in listed()) {
        let Ok(people) = read("", &text) else { return Ok(()) };
        let visible = text.replace(['\u{200b}', '\u{feff}'], "").to_lowercase();
        for row in people.rows {
            let Ok(entry) = row.found else { continue };
            let (local, domain) = entry.address.rsplit_once('@').unwrap();
            let unicode = unicode_domain(&entry.address).unwrap_or_else(|| domain.to_owned());
            prop_assert!(
                visible.contains(&format!("{local}@{unicode}")) || visible.contains(&entry.address),
                "{} is not in {:?}", entry.address, text
            );
            prop_assert_eq!(normal(&entry.address), entry.address.clone());
            prop_assert!(local.starts_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn what_is_shown_reads_as_the_same_people(text in listed()) {
        let Ok(people) = read("", &text) else { return Ok(()) };
        let addresses = |people: &People| -> Vec<String> {
            people.rows.iter().filter_map(|row| Some(row.found.as_ref().ok()?.address.clone())).collect()
        };
        let shown = addresses(&people);
        let card: Vec<String> = shown.iter().map(|a| format!("• {}", readable(a))).collect();
        let again = read(&card.join("\n"), "").unwrap();
        prop_assert!(again.rows.iter().all(|row| row.found.is_ok()), "{again:?}");
        prop_assert_eq!(addresses(&again), shown);
    }

    #[test]
    fn no_line_of_a_list_vanishes(lines in vec(select(vec![
        "ana@n.example", "Bo Lind <bo@n.example>", "nobody", "Cy Park", "di@", "*ed@n.example", "3. fay@n.example",
    ]), 2..30)) {
        let people = read(&lines.join("\n"), "").unwrap();
        let places: Vec<Place> = people.rows.iter().map(|row| row.place).collect();
        let all: Vec<Place> = (1..=lines.len()).map(Place::Line).collect();
        prop_assert_eq!(places, all);
    }
}

/// As long as a file may be: what is not linear takes minutes.
#[test]
fn long_lists_take_no_longer_than_their_length() {
    let lines = |line: fn(usize) -> String| (0..20_000).map(line).collect::<Vec<_>>().join("\n");
    let table = lines(|i| format!("Person {i},day,p{i}@n.example"));
    let people = read("", &format!("name,team,email\n{table}")).unwrap();
    assert_eq!(people.rows.len(), 20_000);
    for piece in ["(", "\"", "<a@", "*a@n.example ", "bob, ", "a@n.example ", ",", "[a@n.example](", "x\t"] {
        let people = read(&piece.repeat(200_000 / piece.len()), "").unwrap();
        assert!(people.rows.len() <= 200_000);
    }
    let list = lines(|i| format!("\"Person, {i}\" <p{i}@n.example>;"));
    assert_eq!(read(&list, "").unwrap().rows.len(), 20_000);
}
