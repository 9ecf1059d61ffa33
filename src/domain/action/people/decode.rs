//! The bytes of a file as text, whatever program wrote it.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How files of other kinds begin, and what they are.
const OTHERS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a workbook or another archive"),
    (b"PK\x05\x06", "a workbook or another archive"),
    (b"\xd0\xcf\x11\xe0", "a workbook or another document of Office"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a formatted document"),
];

/// The text of an uploaded list: UTF-8, UTF-16 with its mark, otherwise Windows' Western code page.
///
/// # Errors
/// The file is no text; the message says what to do.
pub fn decode(bytes: &[u8]) -> Result<String, String> {
    decode_text(bytes, SAVE)
}

/// The same of another kind of file. `save`: what to do about one that is no text.
///
/// # Errors
/// The file is no text.
pub fn decode_text(bytes: &[u8], save: &str) -> Result<String, String> {
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(format!("This is {what}, not text. {save}"));
    }
    let marked = Encoding::for_bom(bytes);
    let text = match marked {
        Some((encoding, mark)) if [UTF_8, UTF_16LE, UTF_16BE].contains(&encoding) => {
            encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..])
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.into()),
            Err(_) => Some(WINDOWS_1252.decode_without_bom_handling(bytes).0),
        },
    };
    // The last is the end of a file of old.
    let fits = |c: char| !c.is_control() || "\t\n\r\u{b}\u{c}\u{1a}".contains(c) || ('\u{80}'..'\u{a0}').contains(&c);
    match text {
        Some(text) if text.chars().all(fits) => Ok(text.into_owned()),
        _ => Err(format!("This file is not text, or it is damaged. {save}")),
    }
}

const SAVE: &str = "Save it as CSV (in Excel: File, Save As, \"CSV UTF-8\") and choose that file.";

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn text_is_read_in_the_encodings_of_office() {
        let text = "Prénom;Courriel\r\nZoé;zoe@nimbus.example";
        let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        for bytes in
            [text.as_bytes(), &western, &marked, &utf16(text, u16::to_le_bytes), &utf16(text, u16::to_be_bytes)]
        {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
        assert_eq!(decode(b"\x80 \x93x\x94").as_deref(), Ok("€ “x”"));
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_refused_with_what_to_do() {
        let cut = &utf16("ana@x", u16::to_le_bytes)[..7];
        for bytes in
            [b"PK\x03\x04\x14".as_slice(), b"\xd0\xcf\x11\xe0\xa1", b"%PDF-1.7", b"a\0b", b"\xef\xbb\xbf\xff", cut]
        {
            assert!(decode(bytes).unwrap_err().contains("Save it as CSV"), "{bytes:?}");
        }
    }
}
