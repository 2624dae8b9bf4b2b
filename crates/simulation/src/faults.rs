//! What goes wrong between one process and the storage.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oplogue_storage::fate::{Action, Fate, Fates, Landing};

use crate::dice::Dice;

/// How often things fail, in a hundred, in one run.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub failing: u32,
    pub unheard: u32,
    pub late: u32,
    /// Only where what is written is read back.
    pub corrupting: u32,
}

/// One process's way to the storage.
pub struct Way {
    state: Mutex<State>,
    weather: Weather,
    seed: u64,
}

struct State {
    dice: Dice,
    /// Changes until the process dies; `None`: it lives on.
    dies_after: Option<u32>,
    dead: bool,
    /// Readings have dice of their own, object by object: their order among each other is not ours.
    readings: BTreeMap<String, u64>,
    landings: Vec<Landing>,
    put: Vec<String>,
    corrupted: Vec<String>,
}

impl Way {
    pub fn new(seed: u64, weather: Weather, dies_after: Option<u32>) -> Self {
        let state = State {
            dice: Dice::new(seed),
            dies_after,
            dead: false,
            readings: BTreeMap::new(),
            landings: Vec::new(),
            put: Vec::new(),
            corrupted: Vec::new(),
        };
        Self { state: Mutex::new(state), weather, seed }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub fn kill(&self) {
        self.state().dead = true;
    }

    /// Puts that are under way although nobody waits for them.
    pub fn take_landings(&self) -> Vec<Landing> {
        std::mem::take(&mut self.state().landings)
    }

    /// Objects that were put whole, whoever heard of it.
    pub fn take_put(&self) -> Vec<String> {
        std::mem::take(&mut self.state().put)
    }

    /// Objects that were stored otherwise than they were given.
    pub fn take_corrupted(&self) -> Vec<String> {
        std::mem::take(&mut self.state().corrupted)
    }
}

impl Fates for Way {
    fn fate(&self, action: Action<'_>) -> Fate {
        let mut state = self.state();
        if state.dead {
            return Fate::Failed;
        }
        match action {
            Action::Read(key) | Action::Stat(key) | Action::List(key) => {
                let turn = state.readings.entry(key.to_owned()).or_default();
                *turn += 1;
                let mixed = key.bytes().fold(self.seed ^ *turn, |mixed, byte| mixed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
                let mut dice = Dice::new(mixed);
                if dice.percent(self.weather.failing) { dice.pick(&[Fate::Failed, Fate::Unheard]) } else { Fate::Done }
            }
            Action::Write(_) => {
                if state.dice.percent(self.weather.failing) {
                    Fate::Failed
                } else {
                    Fate::Done
                }
            }
            Action::Put(key) | Action::Delete(key) => {
                let put = matches!(action, Action::Put(_));
                if let Some(left) = state.dies_after.as_mut() {
                    if *left == 0 {
                        state.dead = true;
                        return Fate::Failed;
                    }
                    *left -= 1;
                }
                let roll = state.dice.between(1, 100);
                let Weather { failing, unheard, late, corrupting } = self.weather;
                let fate = match roll {
                    roll if roll <= failing => Fate::Failed,
                    roll if roll <= failing + unheard => Fate::Unheard,
                    roll if put && roll <= failing + unheard + late => Fate::Late,
                    roll if put && roll > 100 - corrupting => Fate::Corrupted,
                    _ => Fate::Done,
                };
                match fate {
                    Fate::Corrupted => state.corrupted.push(key.to_owned()),
                    Fate::Done | Fate::Unheard if put => state.put.push(key.to_owned()),
                    _ => {}
                }
                fate
            }
        }
    }

    fn later(&self, landing: Landing) {
        self.state().landings.push(landing);
    }
}
