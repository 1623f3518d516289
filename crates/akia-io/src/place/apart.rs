//! Places that keep a key in values which are written one by one, and that give back all of them, some, or none.
//!
//! The id is written first: a key id that stands in a place says whose the write was that a crash has cut short, so it is gone on with.
//! Where not even the id can be read, what the place says of each value's last write is all there is: see [`refuse`].

use std::time::Duration;

use akia_core::AccessKeyId;
use akia_core::place::KeyNames;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use super::written::{named, named_pair};
use super::{Expected, Held, KeyPair, Named, PlaceError, PlaceKind, Places, Ready, refuse_unexpected};

/// How often a place that others write at the same time is read and written anew.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(200);
/// Between what is said of the writes of two values, in a mark.
const SEPARATOR: &str = "/";
/// In a mark, of a value that is not there or of whose write nothing is said.
const NONE: &str = "-";

/// What is known of one value.
pub(super) enum Standing {
    /// It is not there.
    Absent,
    /// It can be read.
    Readable {
        value: Zeroizing<String>,
        /// What the place says of its last write.
        mark: Option<String>,
    },
    /// It is there.
    Sealed {
        /// What the place says of its last write.
        mark: Option<String>,
    },
}

/// A value, with what its kind has to know to write it.
pub(super) struct Found<K> {
    pub(super) standing: Standing,
    pub(super) kept: K,
}

/// What became of a write.
pub(super) enum Wrote {
    /// Done, with what the place says of it, where it says so at once.
    Done { mark: Option<String> },
    /// Somebody else was faster: what stands there has to be read again.
    Raced,
}

/// What a kind of place does with one value.
pub(super) trait Values: Sync {
    /// What a write of a value has to know of it.
    type Kept: Send + Sync;

    fn place(&self) -> &Named;
    fn names(&self) -> &KeyNames;

    /// What is known of each value, in the order of [`KeyNames::list`].
    fn look(&self, places: &Places) -> impl Future<Output = Result<Vec<Found<Self::Kept>>, PlaceError>> + Send;

    /// Writes the value of that number and name.
    fn write(
        &self,
        places: &Places,
        value_at: (usize, &str),
        found: &Found<Self::Kept>,
        value: &str,
        pair: &KeyPair,
    ) -> impl Future<Output = Result<Wrote, PlaceError>> + Send;

    /// Finds what a look does not show: why a write would be refused.
    fn refuse_what_cannot_be_written(&self, _places: &Places) -> impl Future<Output = Result<(), PlaceError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Within what time two writes may have one mark. It is waited out after a write, so that whoever writes later leaves another.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

impl<V: Values + Send> PlaceKind for V {
    fn preflight<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Ready, PlaceError>> {
        async move {
            self.refuse_what_cannot_be_written(places).await?;
            read(self, places).await?;
            Ok(Ready::default())
        }
        .boxed()
    }

    fn read<'a>(&'a self, places: &'a Places) -> BoxFuture<'a, Result<Held, PlaceError>> {
        read(self, places).boxed()
    }

    fn deliver<'a>(
        &'a self,
        places: &'a Places,
        pair: &'a KeyPair,
        expected: Expected<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlaceError>> {
        deliver(self, places, pair, expected).boxed()
    }
}

impl Standing {
    fn value(&self) -> Option<&Zeroizing<String>> {
        match self {
            Self::Readable { value, .. } => Some(value),
            Self::Absent | Self::Sealed { .. } => None,
        }
    }

    fn mark(&self) -> Option<&str> {
        match self {
            Self::Readable { mark, .. } | Self::Sealed { mark } => mark.as_deref(),
            Self::Absent => None,
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// What stands in the place.
async fn read<V: Values>(values: &V, places: &Places) -> Result<Held, PlaceError> {
    let found = values.look(places).await?;
    if found.iter().all(|found| found.standing.is_absent()) {
        return Ok(Held::Nothing);
    }
    if is_sealed(&found) {
        return Ok(Held::Sealed { id: id_in(values, &found)?, mark: mark_of(&found) });
    }
    Ok(pair_in(values, &found)?.map_or(Held::Nothing, Held::Pair))
}

/// Writes the values of a key; gives the mark of the writes where some of them cannot be read.
async fn deliver<V: Values>(
    values: &V,
    places: &Places,
    pair: &KeyPair,
    expected: Expected<'_>,
) -> Result<Option<String>, PlaceError> {
    let clock = &places.outside(values.place())?.clock;
    for _ in 0..ATTEMPTS {
        let found = values.look(places).await?;
        if !is_sealed(&found) && pair_in(values, &found).is_ok_and(|held| held.is_some_and(|held| held.matches(pair))) {
            return Ok(None);
        }
        refuse(values, &found, pair, expected)?;
        let Some(written) = write(values, places, &found, pair).await? else {
            clock.sleep(PAUSE).await;
            continue;
        };
        if !values.resolution().is_zero() && is_sealed(&found) {
            clock.sleep(values.resolution()).await;
        }
        return read_back(values, &values.look(places).await?, pair, &written);
    }
    let reason = "others write to it all the time".to_owned();
    Err(PlaceError::Unavailable { place: values.place().to_string(), reason })
}

/// Writes the values, in order; what is there already is left alone. None where somebody else was faster.
async fn write<V: Values>(
    values: &V,
    places: &Places,
    found: &[Found<V::Kept>],
    pair: &KeyPair,
) -> Result<Option<Vec<Option<String>>>, PlaceError> {
    let mut marks = Vec::new();
    for (index, ((name, value), found)) in named(values.names(), pair).iter().zip(found).enumerate() {
        if found.standing.value() == Some(value) {
            marks.push(None);
            continue;
        }
        match values.write(places, (index, name), found, value, pair).await? {
            Wrote::Done { mark } => marks.push(mark),
            Wrote::Raced => return Ok(None),
        }
    }
    Ok(Some(marks))
}

fn read_back<V: Values>(
    values: &V,
    found: &[Found<V::Kept>],
    pair: &KeyPair,
    written: &[Option<String>],
) -> Result<Option<String>, PlaceError> {
    let place = || values.place().to_string();
    for (((_, value), found), written) in named(values.names(), pair).iter().zip(found).zip(written) {
        match &found.standing {
            Standing::Absent => return Err(PlaceError::ReadBack { place: place() }),
            Standing::Readable { value: held, .. } if held == value => {}
            Standing::Readable { .. } => return Err(PlaceError::ReadBack { place: place() }),
            Standing::Sealed { mark } if written.is_some() && mark != written => {
                return Err(PlaceError::Changed { place: place() });
            }
            Standing::Sealed { .. } => {}
        }
    }
    Ok(if is_sealed(found) { mark_of(found) } else { None })
}

/// Refuses to write where something stands that nobody expects.
///
/// A place that cannot be read must still say of its last write what it said of ours. There is one more thing that a crash of ours may have
/// left: the first value changed and the second as we know it. No program can use that, whoever wrote it, so it is completed.
///
/// Both changed is refused, also where the journal has an intent of ours without an outcome. The intent says that we may have written, and
/// not that nobody has since; a mark is a time or a version of the service, which we could not have written down before. Taking it for
/// ours would one day write over a key that a person has put there after the crash, and that is nowhere else.
fn refuse<V: Values>(
    values: &V,
    found: &[Found<V::Kept>],
    pair: &KeyPair,
    expected: Expected<'_>,
) -> Result<(), PlaceError> {
    let place = values.place();
    let id = id_in(values, found)?;
    if id.is_some() || !is_sealed(found) {
        refuse_unexpected(place, id.as_ref(), &pair.id, expected.keys)?;
    }
    if !is_sealed(found) || id.as_ref() == Some(&pair.id) {
        return Ok(());
    }
    match expected.mark {
        Some(mark) if !is_as_left(found, mark) => Err(PlaceError::Changed { place: place.to_string() }),
        Some(_) => Ok(()),
        None if expected.keys.is_empty() && !found.iter().any(|found| found.standing.is_absent()) => {
            let reason = format!(
                "{} stand there already, and the service does not say which key they are; remove them, or choose other names",
                values.names().words()
            );
            Err(PlaceError::Refused { place: place.to_string(), reason })
        }
        None => Ok(()),
    }
}

fn is_as_left<K>(found: &[Found<K>], mark: &str) -> bool {
    let left: Vec<&str> = mark.split(SEPARATOR).collect();
    let now = marks(found);
    left == now || (now.len() > 1 && left.len() == now.len() && left[1..] == now[1..])
}

fn is_sealed<K>(found: &[Found<K>]) -> bool {
    found.iter().any(|found| matches!(found.standing, Standing::Sealed { .. }))
}

fn marks<K>(found: &[Found<K>]) -> Vec<&str> {
    found.iter().map(|found| found.standing.mark().unwrap_or(NONE)).collect()
}

fn mark_of<K>(found: &[Found<K>]) -> Option<String> {
    found.iter().any(|found| found.standing.mark().is_some()).then(|| marks(found).join(SEPARATOR))
}

fn value_of<'f, V: Values>(values: &V, found: &'f [Found<V::Kept>], name: &str) -> Option<&'f Zeroizing<String>> {
    let index = values.names().list().iter().position(|listed| *listed == name)?;
    found.get(index)?.standing.value().filter(|value| !value.is_empty())
}

fn pair_in<V: Values>(values: &V, found: &[Found<V::Kept>]) -> Result<Option<KeyPair>, PlaceError> {
    named_pair(values.names(), |name| value_of(values, found, name).cloned())
        .map_err(|reason| PlaceError::Unreadable { place: values.place().to_string(), reason })
}

/// The key id, where that much can be read.
fn id_in<V: Values>(values: &V, found: &[Found<V::Kept>]) -> Result<Option<AccessKeyId>, PlaceError> {
    match values.names() {
        KeyNames::Combined { .. } if is_sealed(found) => Ok(None),
        KeyNames::Combined { .. } => Ok(pair_in(values, found)?.map(|pair| pair.id)),
        KeyNames::Apart { id, .. } => match value_of(values, found, id) {
            None => Ok(None),
            Some(id) => id.parse().map(Some).map_err(|_| PlaceError::Unreadable {
                place: values.place().to_string(),
                reason: "its access key id is malformed".to_owned(),
            }),
        },
    }
}
