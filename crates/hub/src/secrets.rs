//! Encryption of secrets at rest: AES-256-GCM under a master key that is outside the database.
//!
//! A sealed secret is text, `v2.<base64>`: the key's version, then nonce, cipher text and tag. It is bound to the
//! identity of its row (`account_secrets/acc_…/channel_secret`), so that it opens nowhere else. The key file holds
//! every version; the newest seals, all open, so a rotation can re-seal row by row.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use line_client::Secret;

use crate::clock::Entropy;
use crate::config::Config;

/// Bytes of a master key.
const KEY_LEN: usize = 32;

/// Why a sealed secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text is not one that [`Keyring::seal`] makes.
    #[error("stored secret is not in the sealed form")]
    Malformed,
    /// The key of this version is not in the key file.
    #[error("stored secret was sealed by version {0} of the master key, which is not at hand")]
    UnknownVersion(u32),
    /// Sealed by another key, altered, or taken from another row.
    #[error("stored secret does not open: another master key sealed it, or it was altered or moved")]
    Refused,
}

/// Why there is no keyring; the words are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read, made or replaced.
    #[error("master key file {path} cannot be {act}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read`, `made`, `replaced`.
        act: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner may use the key file.
    #[error("master key file {path} is open to others (mode {mode:o}): allow only its owner, chmod 600")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text holds no key that can be used.
    #[error("master key from {origin} is not valid: {reason}")]
    Invalid {
        /// `TRUNKLINE_MASTER_KEY`, or the file.
        origin: String,
        /// What is wrong; never a part of the key.
        reason: &'static str,
    },
}

/// The versions of the master key.
pub struct Keyring {
    keys: BTreeMap<u32, LessSafeKey>,
    newest: u32,
}

impl Keyring {
    /// The keys that the operator set: `TRUNKLINE_MASTER_KEY`, else `TRUNKLINE_MASTER_KEY_FILE`, else `master.key` in
    /// the data folder, which is made (mode 0600) where it is missing.
    ///
    /// Either text is a list of `version:base64` of 32 bytes, one on each line (in the variable also after a comma); a
    /// key without a version is version 1.
    ///
    /// # Errors
    /// The file cannot be used or is open to others, or the text holds no valid key.
    pub fn load(config: &Config, entropy: &Entropy) -> Result<Self, KeyError> {
        if let Some(given) = &config.master_key {
            return Self::parse(given.expose(), "TRUNKLINE_MASTER_KEY");
        }
        if let Some(path) = &config.master_key_file {
            return Self::read(path);
        }
        let path = Self::default_file(config);
        match write_new(&path, &line(1, entropy)) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|source| KeyError::File { path: path.clone(), act: "made", source })?,
        }
        Self::read(&path)
    }

    /// Where the key file is, when the operator named none.
    #[must_use]
    pub fn default_file(config: &Config) -> PathBuf {
        config.data_dir.join("master.key")
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// It cannot be read, is open to others, or holds no valid key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read_closed(path)?, &path.display().to_string())
    }

    /// Adds a version to the key file, in one step: a crash leaves the old file or the new one. What is sealed stays
    /// readable; the caller then re-seals what [`Keyring::needs_reseal`] names.
    ///
    /// # Errors
    /// As [`Keyring::read`], and when the file cannot be replaced.
    pub fn rotate(path: &Path, entropy: &Entropy) -> Result<Self, KeyError> {
        let before = read_closed(path)?;
        let old = Self::parse(&before, &path.display().to_string())?;
        let mut after: String = before.trim_end().to_owned();
        after.push('\n');
        after.push_str(&line(old.newest.saturating_add(1), entropy));
        let fault = |source| KeyError::File { path: path.to_owned(), act: "replaced", source };
        let fresh = path.with_extension("key.new");
        // A file that an interrupted rotation left behind was never in use.
        std::fs::remove_file(&fresh).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(fault(error)),
        })?;
        write_new(&fresh, &after).map_err(fault)?;
        std::fs::rename(&fresh, path).and_then(|()| sync_folder(path)).map_err(fault)?;
        Self::read(path)
    }

    /// A keyring with one fixed key.
    ///
    /// # Panics
    /// Never: the key has the right length.
    #[cfg(any(test, feature = "testing"))]
    #[expect(clippy::expect_used, reason = "a test without its keys has failed")]
    #[must_use]
    pub fn for_testing() -> Self {
        Self::parse(&STANDARD.encode([7; KEY_LEN]), "test").expect("a key of 32 bytes")
    }

    /// The keyring of [`for_testing`](Self::for_testing) with one version more.
    #[cfg(test)]
    #[must_use]
    pub fn rotated_for_testing() -> Self {
        let (first, second) = (STANDARD.encode([7; KEY_LEN]), STANDARD.encode([8; KEY_LEN]));
        Self::parse(&format!("1:{first}\n2:{second}"), "test").expect("two keys of 32 bytes")
    }

    fn parse(text: &str, origin: &str) -> Result<Self, KeyError> {
        let invalid = |reason| KeyError::Invalid { origin: origin.to_owned(), reason };
        let mut keys = BTreeMap::new();
        for part in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()) {
            let (version, key) = part.split_once(':').unwrap_or(("1", part));
            let version = version.parse::<u32>().map_err(|_| invalid("a version is not a number"))?;
            let key = STANDARD.decode(key).map_err(|_| invalid("a key is not base64"))?;
            if key.len() != KEY_LEN {
                return Err(invalid("a key is not 32 bytes long"));
            }
            let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| invalid("a key cannot be used"))?;
            if keys.insert(version, LessSafeKey::new(key)).is_some() {
                return Err(invalid("a version is there twice"));
            }
        }
        let newest = *keys.keys().next_back().ok_or_else(|| invalid("it is empty"))?;
        Ok(Self { keys, newest })
    }

    /// Seals `plain` for the row and column that `identity` names.
    ///
    /// # Panics
    /// Ends the request when the cipher refuses, which it does for texts of 64 GiB and more.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a secret that cannot be sealed must not be stored")]
    pub fn seal(&self, entropy: &Entropy, identity: &str, plain: &str) -> String {
        let nonce = entropy.bytes::<NONCE_LEN>();
        let key = self.keys.get(&self.newest).expect("the newest key is one of the keys");
        let mut cipher = plain.as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(identity), &mut cipher)
            .expect("the cipher seals a short text");
        let sealed = [nonce.as_slice(), &cipher].concat();
        format!("v{}.{}", self.newest, STANDARD.encode(sealed))
    }

    /// Opens what [`Keyring::seal`] made for the same `identity`.
    ///
    /// # Errors
    /// See [`SecretError`]; none tells anything about the secret.
    pub fn open(&self, identity: &str, sealed: &str) -> Result<Secret, SecretError> {
        let (version, body) = split(sealed).ok_or(SecretError::Malformed)?;
        let key = self.keys.get(&version).ok_or(SecretError::UnknownVersion(version))?;
        let body = STANDARD.decode(body).map_err(|_| SecretError::Malformed)?;
        let (nonce, cipher) = body.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::Malformed)?;
        let mut cipher = cipher.to_vec();
        let plain = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(identity), &mut cipher)
            .map_err(|_| SecretError::Refused)?;
        std::str::from_utf8(plain).map(Secret::from).map_err(|_| SecretError::Refused)
    }

    /// Whether another version than the newest sealed it.
    #[must_use]
    pub fn needs_reseal(&self, sealed: &str) -> bool {
        split(sealed).is_none_or(|(version, _)| version != self.newest)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("versions", &self.keys.keys()).finish_non_exhaustive()
    }
}

fn split(sealed: &str) -> Option<(u32, &str)> {
    let (version, body) = sealed.strip_prefix('v')?.split_once('.')?;
    Some((version.parse().ok()?, body))
}

fn line(version: u32, entropy: &Entropy) -> String {
    format!("{version}:{}\n", STANDARD.encode(entropy.bytes::<KEY_LEN>()))
}

fn read_closed(path: &Path) -> Result<String, KeyError> {
    let fault = |source| KeyError::File { path: path.to_owned(), act: "read", source };
    let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode() & 0o777;
    // A group may read it: that is how orchestrators hand a secret to a process that is not root.
    if mode & 0o037 != 0 {
        return Err(KeyError::TooOpen { path: path.to_owned(), mode });
    }
    std::fs::read_to_string(path).map_err(fault)
}

/// Makes a file that only its owner can read, and returns after the disk has it.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "account_secrets/acc_1/channel_secret";

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; KEY_LEN])
    }

    #[test]
    fn a_secret_opens_only_in_its_own_row() {
        let (keys, entropy) = (Keyring::for_testing(), Entropy::system());
        let sealed = keys.seal(&entropy, ROW, "s3cret 密");
        assert!(sealed.starts_with("v1."));
        assert!(!sealed.contains("s3cret"));
        assert_eq!(keys.open(ROW, &sealed).unwrap().expose(), "s3cret 密");
        let elsewhere = keys.open("account_secrets/acc_2/channel_secret", &sealed);
        assert_eq!(elsewhere, Err(SecretError::Refused));
        // The same secret twice does not show that it is the same.
        assert_ne!(keys.seal(&entropy, ROW, "s3cret 密"), sealed);
        assert_eq!(keys.open(ROW, &keys.seal(&entropy, ROW, "")).unwrap().expose(), "");
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let keys = Keyring::for_testing();
        let sealed = keys.seal(&Entropy::seeded(1), ROW, "secret");
        let body = STANDARD.decode(sealed.strip_prefix("v1.").unwrap()).unwrap();
        for at in 0..body.len() {
            let mut altered = body.clone();
            altered[at] ^= 1;
            let altered = format!("v1.{}", STANDARD.encode(altered));
            assert_eq!(keys.open(ROW, &altered), Err(SecretError::Refused), "byte {at}");
        }
        for text in ["", "v1.", "v1.AAAA", "v1.!", "1.AAAA", "vx.AAAA", "plain text"] {
            assert_eq!(keys.open(ROW, text), Err(SecretError::Malformed), "{text}");
            assert!(keys.needs_reseal(text) || text.starts_with("v1."));
        }
        let cut = format!("v1.{}", STANDARD.encode(&body[..body.len() - 1]));
        assert_eq!(keys.open(ROW, &cut), Err(SecretError::Refused));
    }

    #[test]
    fn old_versions_open_and_the_newest_seals() {
        let old = Keyring::parse(&key(1), "test").unwrap();
        let sealed = old.seal(&Entropy::seeded(1), ROW, "secret");
        assert!(!old.needs_reseal(&sealed));
        let both = Keyring::parse(&format!("1:{}\n7:{}\n", key(1), key(2)), "test").unwrap();
        assert_eq!(both.open(ROW, &sealed).unwrap().expose(), "secret");
        assert!(both.needs_reseal(&sealed));
        let again = both.seal(&Entropy::seeded(1), ROW, "secret");
        assert!(again.starts_with("v7.") && !both.needs_reseal(&again));
        assert_eq!(old.open(ROW, &again), Err(SecretError::UnknownVersion(7)));
        let other = Keyring::parse(&key(3), "test").unwrap();
        assert_eq!(other.open(ROW, &sealed), Err(SecretError::Refused));
    }

    #[test]
    fn a_rotation_adds_a_version_and_keeps_the_mode() {
        let (_dir, path) = file(&format!("{}\n", key(1)), 0o600);
        let sealed = Keyring::read(&path).unwrap().seal(&Entropy::seeded(1), ROW, "secret");
        // What an interrupted rotation left behind does not stop the next one.
        std::fs::write(path.with_extension("key.new"), "half").unwrap();
        let rotated = Keyring::rotate(&path, &Entropy::seeded(2)).unwrap();
        assert!(rotated.needs_reseal(&sealed));
        assert_eq!(rotated.open(ROW, &sealed).unwrap().expose(), "secret");
        let twice = Keyring::rotate(&path, &Entropy::seeded(3)).unwrap();
        assert_eq!(twice.keys.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_file_that_cannot_be_trusted_is_refused_in_words() {
        let (_dir, path) = file(&key(1), 0o644);
        let error = Keyring::read(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("644"), "{error}");
        let (_dir, path) = file(&key(1), 0o440);
        assert!(Keyring::read(&path).is_ok());
        let error = Keyring::read(Path::new("/nonexistent/key")).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        for text in ["", "abc", "1:", "x:AAAA", &format!("1:{0},1:{0}", key(1))] {
            let (_dir, path) = file(text, 0o600);
            assert!(matches!(Keyring::read(&path), Err(KeyError::Invalid { .. })), "{text}");
        }
    }

    #[test]
    fn nothing_prints_a_key() {
        let (_dir, path) = file(&format!("1:{}x", key(9)), 0o600);
        let shown = format!("{:?} {:?}", Keyring::read(&path).unwrap_err(), Keyring::for_testing());
        assert!(!shown.contains(&key(9)[..8]) && !shown.contains(&key(7)[..8]), "{shown}");
        assert!(shown.contains("versions: [1]"), "{shown}");
    }
}
