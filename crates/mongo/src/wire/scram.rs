//! Login by SCRAM (RFC 5802, RFC 7677), as servers of every version know it. Pure: messages in, messages out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Fewer rounds than this no server asks for: who does wants to learn the password.
const ROUNDS_MIN: u32 = 4096;
/// More than this would only keep us busy. Servers use 10,000 to 15,000 unless told otherwise.
const ROUNDS_MAX: u32 = 10_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Sha1,
    Sha256,
}

/// A login that has not heard the server yet.
pub(crate) struct Login {
    mechanism: Mechanism,
    user: String,
    nonce: String,
}

/// What the server demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    text: String,
    pub(crate) nonce: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) rounds: u32,
}

/// Our answer to it, and what the server must say then.
pub(crate) struct Proof {
    pub(crate) message: String,
    signature: Vec<u8>,
}

impl Mechanism {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    fn sign(self, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key).ok()?.chain_update(text).finalize().into_bytes().to_vec(),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(text).finalize().into_bytes().to_vec(),
        })
    }

    /// The key made of a password: thousands of rounds, so not on a thread that others wait for. `None` for a password that the
    /// mechanism does not allow.
    pub(crate) fn salted(self, user: &str, password: &str, challenge: &Challenge) -> Option<Vec<u8>> {
        let (salt, rounds) = (&challenge.salt, challenge.rounds);
        match self {
            Self::Sha1 => {
                let password = hex::encode(Md5::digest(format!("{user}:mongo:{password}")));
                let mut key = vec![0; 20];
                pbkdf2::pbkdf2::<Hmac<Sha1>>(password.as_bytes(), salt, rounds, &mut key).ok()?;
                Some(key)
            }
            Self::Sha256 => {
                let password = stringprep::saslprep(password).ok()?;
                let mut key = vec![0; 32];
                pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), salt, rounds, &mut key).ok()?;
                Some(key)
            }
        }
    }
}

impl Challenge {
    /// Reads `r=…,s=…,i=…`.
    fn parse(text: &str, our_nonce: &str) -> Result<Self, &'static str> {
        let mut parts = text.split(',');
        let mut part = |key: &str| parts.next().and_then(|part| part.strip_prefix(key)).ok_or("the server's first message is no challenge");
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(our_nonce) || nonce.len() == our_nonce.len() {
            return Err("the server's nonce is not made of ours");
        }
        let rounds = rounds.parse().ok().filter(|rounds| (ROUNDS_MIN..=ROUNDS_MAX).contains(rounds));
        Ok(Self {
            text: text.to_owned(),
            nonce: nonce.to_owned(),
            salt: BASE64.decode(salt).map_err(|_| "the server's salt is not base64")?,
            rounds: rounds.ok_or("the server asks for too few or too many rounds")?,
        })
    }
}

impl Login {
    pub(crate) fn new(mechanism: Mechanism, user: &str, nonce: String) -> Self {
        Self { mechanism, user: user.replace('=', "=3D").replace(',', "=2C"), nonce }
    }

    fn bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.bare())
    }

    pub(crate) fn challenge(&self, text: &str) -> Result<Challenge, &'static str> {
        Challenge::parse(text, &self.nonce)
    }

    pub(crate) fn prove(&self, challenge: &Challenge, salted: &[u8]) -> Option<Proof> {
        let mechanism = self.mechanism;
        // `biws` is `n,,` in base64: no channel binding.
        let without_proof = format!("c=biws,r={}", challenge.nonce);
        let text = format!("{},{},{without_proof}", self.bare(), challenge.text);
        let client_key = mechanism.sign(salted, b"Client Key")?;
        let signature = mechanism.sign(&mechanism.hash(&client_key), text.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        let server_key = mechanism.sign(salted, b"Server Key")?;
        Some(Proof {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            signature: mechanism.sign(&server_key, text.as_bytes())?,
        })
    }
}

impl Proof {
    /// Whether the server knows the password as well.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        let signature = text.split(',').next().and_then(|part| part.strip_prefix("v=")).and_then(|part| BASE64.decode(part).ok());
        signature.is_some_and(|signature| signature == self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the RFC and of the drivers' specification.
    #[test]
    fn the_published_examples_come_out() {
        for (mechanism, nonce, challenge, message, accepted) in [
            (
                Mechanism::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY=",
                "v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=",
            ),
            (
                Mechanism::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ] {
            let login = Login::new(mechanism, "user", nonce.to_owned());
            assert_eq!(login.first(), format!("n,,n=user,r={nonce}"));
            let challenge = login.challenge(challenge).expect("a challenge");
            let salted = mechanism.salted("user", "pencil", &challenge).expect("an ordinary password");
            let proof = login.prove(&challenge, &salted).expect("a proof");
            assert_eq!(proof.message, message);
            assert!(proof.accepts(accepted) && !proof.accepts("v=AAAA") && !proof.accepts("e=other-error") && !proof.accepts(""));
        }
    }

    #[test]
    fn a_server_that_wants_the_password_cheaply_or_repeats_another_nonce_is_refused() {
        let login = Login::new(Mechanism::Sha256, "a=b,c", "abc".to_owned());
        assert_eq!(login.first(), "n,,n=a=3Db=2Cc,r=abc");
        for text in [
            "",
            "r=abcd,s=AAAA,i=1",
            "r=abc,s=AAAA,i=5000",
            "r=xbcd,s=AAAA,i=5000",
            "r=abcd,s=?,i=5000",
            "r=abcd,s=AAAA,i=99999999999",
            "e=x",
        ] {
            assert!(login.challenge(text).is_err(), "{text}");
        }
        assert!(login.challenge("r=abcd,s=AAAA,i=5000").is_ok());
    }
}
