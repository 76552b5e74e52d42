//! Trust: what a lane's answers so far say about the next.

use crate::share::Standing;

/// After so many slow attempts in a row a lane that has proved itself is said to hang.
const SLOW_IN_A_ROW: usize = 3;
/// So many attempts begin early once it is, before it waits its turn among all that hang.
const CHANCES: u8 = 3;

/// One prompt success proves a lane; one slow attempt shakes its standing, but a few make it hang.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// An attempt has ended.
    answered: bool,
    /// Slow attempts since the last prompt success, those in flight included.
    slow: usize,
    /// What is left of its credit; none before the first prompt success.
    chances: u8,
}

impl Trust {
    /// A lane of which nothing is known, or that it was failing when it was last heard of.
    pub(crate) fn new(failing: bool) -> Self {
        Self {
            answered: failing,
            ..Self::default()
        }
    }

    /// An attempt has ended, with whatever result.
    pub(crate) const fn answered(&mut self) {
        self.answered = true;
    }

    pub(crate) const fn succeeded_promptly(&mut self) {
        self.slow = 0;
        self.chances = CHANCES;
    }

    /// So many more attempts were found to be slow.
    pub(crate) const fn were_slow(&mut self, attempts: usize) {
        self.slow = self.slow.saturating_add(attempts);
    }

    /// An attempt starts: a lane that hangs has used one of its chances.
    pub(crate) const fn started(&mut self) {
        if self.hangs() {
            self.chances = self.chances.saturating_sub(1);
        }
    }

    /// Whether its last answer was a prompt success, and nothing was slow since.
    pub(crate) const fn is_proven(&self) -> bool {
        self.chances > 0 && self.slow == 0
    }

    pub(crate) const fn hangs(&self) -> bool {
        self.slow >= SLOW_IN_A_ROW || (self.slow > 0 && self.chances == 0)
    }

    /// What it is known for where slots are shared, unless it is trusted.
    pub(crate) const fn standing(&self, in_flight: usize) -> Standing {
        let may_be_back = self.chances > 0 && in_flight == 0;
        if self.slow > 0 && (may_be_back || !self.hangs()) {
            Standing::Wavering
        } else if self.hangs() {
            Standing::Hanging
        } else if self.answered {
            Standing::Failing
        } else {
            Standing::New
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_never_proved_itself_hangs_at_once() {
        let mut trust = Trust::new(false);
        assert_eq!(trust.standing(0), Standing::New);
        trust.were_slow(1);
        assert_eq!(trust.standing(0), Standing::Hanging);
    }

    #[test]
    fn three_slow_ones_in_a_row_make_a_proven_one_hang() {
        let mut trust = Trust::new(false);
        for _ in 0..9 {
            trust.succeeded_promptly();
            assert!(trust.is_proven());
            trust.were_slow(2);
            assert_eq!((trust.is_proven(), trust.hangs()), (false, false));
            assert_eq!(trust.standing(2), Standing::Wavering);
        }
        trust.were_slow(1);
        assert!(trust.hangs());
        assert_eq!(trust.standing(2), Standing::Hanging);
    }

    #[test]
    fn one_that_proved_itself_has_three_chances_once_it_hangs() {
        let mut trust = Trust::new(false);
        trust.succeeded_promptly();
        trust.were_slow(10);
        for _ in 0..3 {
            assert_eq!(trust.standing(0), Standing::Wavering);
            trust.started();
            assert_eq!(trust.standing(1), Standing::Hanging);
            trust.were_slow(1);
        }
        assert_eq!(trust.standing(0), Standing::Hanging);
        trust.succeeded_promptly();
        assert!(trust.is_proven());
    }

    #[test]
    fn one_that_was_failing_when_it_was_last_heard_of_is_no_newcomer() {
        assert_eq!(Trust::new(true).standing(0), Standing::Failing);
    }
}
