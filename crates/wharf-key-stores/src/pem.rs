//! PEM text as Java's clients read it, rewritten as OpenSSL wants it.
//!
//! A value in a properties file is often one long line, with blanks where PEM has line ends (KIP-651 shows it so); Java
//! does not mind, OpenSSL refuses it. Text around blocks is passed over. Nothing here repeats what a block holds.

/// Blocks of `text` whose label `wanted` accepts, each with line ends where they belong.
pub(crate) fn blocks(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN ";
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((label, body)) = after.split_once("-----") else {
            break;
        };
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((body, after_end)) = body.split_once("-----END ") else {
            break;
        };
        rest = after_end;
        if wanted(&label) {
            found.push(block(&label, body));
        }
    }
    found
}

fn block(label: &str, body: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    if body.contains(':') {
        // Headers of the old kind of encrypted key belong to lines of their own, which only whole files have.
        text.push_str(body.trim());
        text.push('\n');
    } else {
        let digits: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
        for line in digits.chunks(64) {
            text.extend(line);
            text.push('\n');
        }
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Whether a label is a certificate's.
pub(crate) fn is_certificate(label: &str) -> bool {
    ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(&label)
}

/// Whether a label is a private key's.
pub(crate) fn is_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_put_where_they_belong() {
        let base64 = "A".repeat(70);
        let expected = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----\n",
            &base64[..64],
            &base64[64..]
        );
        for text in [
            expected.clone(),
            expected.replace('\n', "\r\n"),
            expected.replace('\n', " "),
            expected.replace('\n', ""),
            format!("Bag Attributes\n    friendlyName: x\n{expected}"),
        ] {
            assert_eq!(
                blocks(&text, is_certificate),
                std::slice::from_ref(&expected),
                "{text}"
            );
        }
    }

    #[test]
    fn only_blocks_of_the_wanted_kind_are_taken() {
        let text = "-----BEGIN EC PARAMETERS-----\nAA==\n-----END EC PARAMETERS-----\n\
                    -----BEGIN ENCRYPTED PRIVATE KEY-----\nBB==\n-----END ENCRYPTED PRIVATE KEY-----\n\
                    -----BEGIN CERTIFICATE-----\nCC==\n-----END CERTIFICATE-----\n\
                    -----BEGIN CERTIFICATE REQUEST-----\nDD==\n-----END CERTIFICATE REQUEST-----\n";
        assert_eq!(
            blocks(text, is_key),
            ["-----BEGIN ENCRYPTED PRIVATE KEY-----\nBB==\n-----END ENCRYPTED PRIVATE KEY-----\n"]
        );
        assert_eq!(
            blocks(text, is_certificate),
            ["-----BEGIN CERTIFICATE-----\nCC==\n-----END CERTIFICATE-----\n"]
        );
    }

    #[test]
    fn text_without_whole_blocks_holds_none() {
        for text in [
            "",
            "secret",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAA==",
            "-----BEGIN ",
        ] {
            assert!(blocks(text, |_| true).is_empty(), "{text}");
        }
    }

    #[test]
    fn headers_of_an_old_encrypted_key_keep_their_lines() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                    -----END RSA PRIVATE KEY-----\n";
        assert_eq!(blocks(text, is_key), [text]);
    }
}
