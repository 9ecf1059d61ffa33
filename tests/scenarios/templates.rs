//! The folder of plan templates.

use std::fs;

use insta::assert_snapshot;
use sekoia_chatops::domain::plan::file::MOST_BYTES;
use sekoia_chatops::state::templates::{TemplateError, Templates};
use tempfile::TempDir;

#[tokio::test]
async fn templates_are_the_toml_files_of_a_folder() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("plans");
    fs::create_dir(&folder).unwrap();
    let put = |name: &str, text: &[u8]| fs::write(folder.join(name), text).unwrap();
    put("bank 10.toml", b"region = \"FRA1\"");
    put("bank 9.toml", b"\xff\xfex\0");
    put("large.toml", &vec![b'#'; MOST_BYTES + 1]);
    put("most.toml", &vec![b'#'; MOST_BYTES]);
    put("book.toml", b"PK\x03\x04");
    put(".hidden.toml", b"");
    put("notes.txt", b"");
    put("odd$.toml", b"");
    fs::create_dir(folder.join("folder.toml")).unwrap();
    fs::write(outer.path().join("secret.toml"), "canary").unwrap();
    let templates = Templates::new(folder.clone());
    assert_eq!(templates.list().await.unwrap().join(", "), "bank 9, bank 10, book, large, most");
    assert_eq!(templates.read(" bank 10 ").await.unwrap(), "region = \"FRA1\"");
    assert_eq!(templates.read("bank 9").await.unwrap(), "x");
    assert_eq!(templates.read("most").await.unwrap().len(), MOST_BYTES);
    for name in ["../secret", "..", "", "/etc/passwd", "folder", ".hidden", "a\0b", "notes.txt", "odd$", "secret"] {
        let error = templates.read(name).await.unwrap_err();
        assert!(matches!(error, TemplateError::Unknown { .. }), "{name}: {error}");
    }
    let mut said = String::new();
    for name in ["bank", "large", "book", "../\u{202e}secret"] {
        said += &format!("{}\n", templates.read(name).await.unwrap_err());
    }
    fs::remove_dir_all(&folder).unwrap();
    said += &templates.read("bank 9").await.unwrap_err().to_string();
    assert_snapshot!(said, @r#"
    There is no template called "bank". Did you mean "bank 9" or "bank 10"?
    The template large: A plan's file may have at most 256 KiB. Split it over several channels.
    The template book: This is a workbook or another archive, not text. Save the plan as plain text in UTF-8 and choose that file.
    There is no template called "../[U+202E]secret". There are: bank 9, bank 10, book, large, most.
    The folder of templates cannot be read (entity not found). Ask your bot administrator to check CHATOPS_PLANS.
    "#);
}
