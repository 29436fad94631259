//! What LINE does with a narrowcast after it was accepted: it chooses, then it sends. Driven by the sandbox's clock (PLATFORM 7.2).

use std::sync::Arc;

use crate::Inner;
use crate::line::narrowcast::choice::Choice;
use crate::messages::Via;
use crate::sends::{Counted, Phase};
use crate::world::World;

/// What LINE says to an error code (PLATFORM 7.2); the texts are ours.
pub(super) fn description(error: u8) -> &'static str {
    match error {
        2 => "The number of recipients is too small",
        4 => "An audience has too few members",
        5 => "Cancelled, because not everybody could have been reached within the quota",
        _ => "Internal error",
    }
}

impl Inner {
    /// Watches one narrowcast until it is done. It ends with the sandbox, and when a reset forgets the narrowcast.
    pub(super) fn run_narrowcast(self: &Arc<Self>, number: u64) {
        let weak = Arc::downgrade(self);
        let (clock, stop) = (Arc::clone(&self.clock), self.stop.clone());
        tokio::spawn(async move {
            loop {
                let until = {
                    let Some(inner) = weak.upgrade() else { return };
                    let mut world = inner.world();
                    inner.settle_narrowcasts(&mut world);
                    match world.sends.get(number).filter(|campaign| !campaign.is_done()) {
                        Some(campaign) => campaign.until,
                        None => return,
                    }
                };
                tokio::select! {
                    () = clock.sleep_until(until) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Goes on with narrowcasts that were running when the sandbox's state was saved.
    pub(crate) fn resume_narrowcasts(self: &Arc<Self>) {
        let running = self.world().sends.running();
        for number in running {
            self.run_narrowcast(number);
        }
    }

    /// Brings every narrowcast to where it is at this moment.
    pub(crate) fn settle_narrowcasts(&self, world: &mut World) {
        let now = self.clock.now();
        for number in world.sends.running() {
            self.choose(world, number, now);
            self.finish(world, number, now);
        }
    }

    /// Waiting is over: LINE knows the recipients, or why it cannot send.
    fn choose(&self, world: &mut World, number: u64, now: i64) {
        let Some(campaign) = world.sends.get(number) else { return };
        if campaign.phase != Phase::Waiting || now < campaign.until {
            return;
        }
        world.settle_audiences(now);
        let Some(campaign) = world.sends.get(number) else { return };
        let (channel, reserved) = (campaign.channel.clone(), campaign.reserved);
        // What is left beside this narrowcast's own reservation.
        let left = world.left(&channel, now).map(|left| left + reserved);
        let people = match Choice::read(&campaign.wanted) {
            Ok(choice) => choice.people(self, world, &channel, left),
            Err(_) => Err(1),
        };
        let processing = world.channels.get(&channel).map_or(0, |channel| channel.settings.processing_ms);
        world.sends.change(number, |campaign| match people {
            Ok(people) => {
                campaign.phase = Phase::Sending;
                campaign.until += processing;
                campaign.reserved = people.len() as u64;
                campaign.recipients = people;
            }
            Err(error) => {
                campaign.phase = Phase::Failed;
                campaign.error = error;
                campaign.reserved = 0;
            }
        });
    }

    /// Sending is over: the messages are on the phones and count.
    fn finish(&self, world: &mut World, number: u64, now: i64) {
        let Some(campaign) = world.sends.get(number) else { return };
        if campaign.phase != Phase::Sending || now < campaign.until {
            return;
        }
        let mut campaign = campaign.clone();
        let people = std::mem::take(&mut campaign.recipients);
        let count = people.len() as u64;
        self.post_to_many(world, &mut campaign, people.clone(), Via::Narrowcast);
        campaign.phase = Phase::Succeeded;
        campaign.reserved = 0;
        world.sends.count(&campaign.channel, Counted::Narrowcast, count, now);
        world.use_quota(&campaign.channel, count, now);
        world.sends.change(number, |stored| *stored = campaign);
        self.changed_many(people);
    }
}
