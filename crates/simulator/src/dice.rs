//! Chance that can be repeated: every throw is a hash of the seed, a topic, who and when, so no order of asking matters.

/// What a throw decides; two topics never share a throw.
#[derive(Clone, Copy)]
pub(crate) enum Topic {
    TenureLength,
    TenurePhase,
    Role,
    Partner,
    Name,
    Organisation,
    Team,
    Offset,
    Habit,
    Contact,
    Editor,
    Active,
    ActiveHour,
    Quiet,
    Pending,
    Account,
    Plan,
    SeatHour,
    Echo,
    RunCount,
    Runs,
    RunWords,
    Attempts,
    Labels,
    PartialRerun,
    UserTenure,
    UserLife,
    UserId,
    UserName,
    UserSpelling,
    Licence,
    CopilotHabit,
    CopilotTaste,
    CopilotDay,
    Workday,
    Vacation,
    LateActivity,
    WorkloadTaste,
    WorkloadDay,
    Publication,
    OddRows,
    ChatWithoutLicence,
    AuditTimes,
    AuditPerson,
    AuditRecord,
    AuditFate,
    AuditBlob,
    AuditOrder,
    AuditOthers,
    AuditQuery,
}

/// The dice of one data set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    seed: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number below `sides`, the same for the same question. `sides` must not be 0.
    pub(crate) fn throw(self, topic: Topic, who: u32, when: i64, sides: u64) -> u64 {
        self.hash(topic, who, when) % sides
    }

    /// Throws one after the other, for things that are always made as a whole.
    pub(crate) fn series(self, topic: Topic, who: u32, when: i64) -> Series {
        Series {
            state: self.hash(topic, who, when),
        }
    }

    fn hash(self, topic: Topic, who: u32, when: i64) -> u64 {
        let who = (u64::from(who) << 8) | topic as u64;
        mix(mix(mix(self.seed) ^ who) ^ when.cast_unsigned())
    }

    /// The same for a position or a number of days.
    pub(crate) fn throw_i64(self, topic: Topic, who: u32, when: i64, sides: u32) -> i64 {
        self.throw(topic, who, when, u64::from(sides)).cast_signed()
    }
}

/// A row of throws that one question starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    state: u64,
}

impl Series {
    /// The next throw, a number below `sides`. `sides` must not be 0.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state) % sides
    }

    /// The next throw as a number of seconds, both ends included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below((most - least + 1).cast_unsigned()).cast_signed()
    }

    /// The next throw as one of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let position = self.below(from.len() as u64);
        from[usize::try_from(position).unwrap_or_default()]
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014): cheap also in a debug build, and every bit counts.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
