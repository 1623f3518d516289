//! Chance from a seed.

/// Draws everything that a file of the corpus leaves to chance.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The dice of a seed; another `salt` gives others.
    #[must_use]
    pub fn new(seed: u64, salt: &str) -> Self {
        // FNV-1a: any function would do that keeps shapes apart.
        let salt = salt
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(fastrand::Rng::with_seed(seed ^ salt))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// So many random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.0.u8(..)).collect()
    }

    /// So many characters of an alphabet in ASCII.
    pub fn of(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).map(|_| char::from(alphabet[self.0.usize(..alphabet.len())])).collect()
    }

    /// So many hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        self.of("0123456789abcdef", length)
    }

    /// One of them.
    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.usize(..of.len())]
    }

    /// A sentence of plain words.
    pub fn sentence(&mut self) -> String {
        const WORDS: [&str; 16] = [
            "the", "service", "reads", "its", "settings", "when", "it", "starts", "and", "writes", "a", "report", "to",
            "the", "bucket", "daily",
        ];
        (0..6 + self.below(8)).map(|_| self.one(&WORDS)).collect::<Vec<_>>().join(" ")
    }
}
