//! The room where messages wait to be written. They go as they came while everything fits into one
//! transaction; beyond that applications take turns, and none may fill the room.

mod load;
mod turns;

use std::collections::VecDeque;

use ringbolt_model::AppId;

use crate::{Accept, Write};
pub(crate) use load::Load;
use turns::Turns;

/// Messages that wait to be written.
pub(crate) struct Room {
    /// As they came. Applications take turns with what is not here any more.
    arrived: VecDeque<Accept>,
    turns: Turns,
    waits: Load,
    most: Load,
}

impl Room {
    /// For so many messages, and so many bytes.
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            arrived: VecDeque::new(),
            turns: Turns::default(),
            waits: Load::default(),
            most: Load {
                messages,
                rows: usize::MAX,
                bytes,
            },
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waits.messages
    }

    /// Lets a message wait, or gives it back.
    pub(crate) fn enter(&mut self, accept: Accept) -> Result<(), Box<Write>> {
        let load = Load::of(&accept);
        if !self.has_space(accept.message.app, load) {
            return Err(Box::new(Write::Accept(accept)));
        }
        self.waits += load;
        self.arrived.push_back(accept);
        Ok(())
    }

    /// Takes what fits into this much, give or take one message. Of each application, the oldest first.
    pub(crate) fn take(&mut self, most: Load, into: &mut Vec<Accept>) {
        if self.turns.is_empty() && self.waits.fits(most) {
            into.extend(self.arrived.drain(..));
            self.waits = Load::default();
            return;
        }
        self.sort();
        let mut taken = Load::default();
        while taken.is_below(most)
            && let Some(accept) = self.turns.next()
        {
            taken += Load::of(&accept);
            into.push(accept);
        }
        self.waits -= taken;
    }

    /// Whether this may wait as well: an application has three quarters of what the others leave, so
    /// that whoever comes next finds space. A message that is alone always has it.
    fn has_space(&mut self, app: AppId, load: Load) -> bool {
        if self.waits.messages == 0 || (self.waits + load).fits(self.most.three_quarters()) {
            return true;
        }
        self.sort();
        let own = self.turns.waits_of(app);
        let left = self.most - (self.waits - own);
        (own + load).fits(left.three_quarters())
    }

    fn sort(&mut self) {
        for accept in self.arrived.drain(..) {
            self.turns.push(accept);
        }
    }
}
