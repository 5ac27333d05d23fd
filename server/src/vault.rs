//! Secrets at rest: sealed with XChaCha20-Poly1305 under a master key that lies in a file of its own,
//! readable by this user alone and outside the database, so that a copy of the database opens nothing.
//! What a sealed text belongs to is part of its seal: moved to another row, or back to an older version
//! of its own, it does not open.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use zeroize::Zeroizing;

/// The master key's file in the data directory.
pub const KEY_FILE: &str = "master.key";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Seals and opens. Forgets its key when it goes.
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

/// What a sealed text belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row.
    pub row: &'a str,
    /// The row's version.
    pub version: u64,
}

/// A sealed text that cannot be opened: another master key, another place, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed here was sealed with another master key, or was damaged: enter it again")]
pub struct Sealed;

impl Place<'_> {
    fn to_bytes(self) -> Vec<u8> {
        format!("{}|{}|{}", self.table, self.row, self.version).into_bytes()
    }
}

impl Vault {
    /// The vault whose key lies in `directory`; a key is made where there is none.
    pub fn below(directory: &Path) -> io::Result<Self> {
        let file = directory.join(KEY_FILE);
        let key = match read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&file)?,
            read => read?,
        };
        Ok(Self::with(&key))
    }

    fn with(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Seals `secret` for its place, with a nonce of its own before it.
    pub fn seal(&self, secret: &str, place: Place<'_>) -> io::Result<Vec<u8>> {
        let nonce = XNonce::try_generate().map_err(io::Error::other)?;
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: &place.to_bytes(),
        };
        let sealed = self.cipher.encrypt(&nonce, payload);
        let sealed = sealed.map_err(|_| io::Error::other("a secret cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what `seal` made for this very place.
    pub fn open(&self, sealed: &[u8], place: Place<'_>) -> Result<Zeroizing<String>, Sealed> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(Sealed)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Sealed)?;
        let payload = Payload {
            msg: sealed,
            aad: &place.to_bytes(),
        };
        let secret = self.cipher.decrypt(&nonce, payload).map_err(|_| Sealed)?;
        String::from_utf8(secret)
            .map(Zeroizing::new)
            .map_err(|_| Sealed)
    }
}

fn read(file: &Path) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let opened = File::open(file)?;
    let open_to = opened.metadata()?.permissions().mode() & 0o077;
    if open_to != 0 {
        return Err(io::Error::other(format!(
            "{} can be read by others: run `chmod 600` on it, and enter the providers' keys again if somebody may have read it",
            file.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
    opened.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| {
        io::Error::other(format!(
            "{} is no master key: bring back the real one, or remove it and enter the providers' keys again",
            file.display()
        ))
    })?;
    Ok(Zeroizing::new(key))
}

/// Made under another name first: a crash in the middle leaves no half of a key.
fn make(file: &Path) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_generate().map_err(io::Error::other)?);
    let fresh = file.with_extension("new");
    let _left_behind = std::fs::remove_file(&fresh);
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    opened.write_all(&*key)?;
    opened.sync_all()?;
    std::fs::rename(&fresh, file)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place {
        table: "providers",
        row: "acme",
        version: 3,
    };

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let vault = Vault::below(home.path()).expect("a vault");
        let sealed = vault.seal("sk-secret", PLACE).expect("sealed");
        assert!(!sealed.windows(9).any(|part| part == b"sk-secret"));
        let again = Vault::below(home.path()).expect("the same vault");
        let opened = again.open(&sealed, PLACE).expect("open");
        assert_eq!(opened.as_str(), "sk-secret");
        for place in [
            Place {
                row: "other",
                ..PLACE
            },
            Place {
                version: 2,
                ..PLACE
            },
            Place {
                table: "tokens",
                ..PLACE
            },
        ] {
            assert_eq!(again.open(&sealed, place), Err(Sealed), "{place:?}");
        }
        assert_ne!(sealed, vault.seal("sk-secret", PLACE).expect("sealed"));
    }

    #[test]
    fn one_changed_bit_anywhere_is_noticed() {
        let vault = Vault::with(&[7; KEY_BYTES]);
        let sealed = vault.seal("sk-secret", PLACE).expect("sealed");
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(vault.open(&bent, PLACE), Err(Sealed), "byte {at}");
        }
        for end in 0..sealed.len() {
            assert_eq!(
                vault.open(&sealed[..end], PLACE),
                Err(Sealed),
                "{end} bytes"
            );
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        Vault::below(home.path()).expect("a vault");
        let file = home.path().join(KEY_FILE);
        let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode));
        let made = std::fs::metadata(&file).expect("there").permissions();
        assert_eq!(made.mode() & 0o777, 0o600);
        mode(0o644).expect("changed");
        assert!(Vault::below(home.path()).is_err());
        mode(0o600).expect("changed");
        std::fs::write(&file, b"short").expect("written");
        assert!(Vault::below(home.path()).is_err());
    }
}
