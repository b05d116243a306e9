//! The list of all behaviours, and the macro that makes a test of each.

/// One `#[test]` per behaviour, in modules as here. Takes the path of a function that gives a fresh
/// [`Place`](crate::Place).
#[macro_export]
macro_rules! suite {
    ($place:path) => {
        $crate::suite! { @tests $place;
            log: [
                an_empty_store_is_at_its_beginning, events_are_numbered_in_order,
                numbers_ascend_although_the_clock_was_set_back, a_batch_with_a_taken_id_is_overtaken,
                an_event_comes_back_as_it_was, a_batch_happens_whole_or_not_at_all, an_empty_batch_changes_nothing,
                the_watermark_and_the_counters_are_kept, commits_at_the_same_time_do_not_meet,
                taken_ids_are_found_per_account, ids_that_look_generated_are_found_too
            ];
            record: [
                a_first_record_makes_a_row, a_later_record_changes_the_row, attempts_may_begin_after_the_row,
                an_attempt_comes_back_as_it_was, a_first_record_of_a_known_delivery_changes_it,
                a_later_record_of_a_row_that_is_gone_is_dropped, a_failed_manual_attempt_keeps_the_state,
                a_failed_manual_attempt_without_a_row_makes_one, attempts_of_one_number_are_both_kept
            ];
            lease: [
                the_longest_due_go_first, what_is_leased_can_be_sent, no_more_are_leased_than_asked_for,
                what_is_in_hand_is_left_out, what_is_not_due_waits, only_scheduled_ones_of_the_subscription_are_leased,
                what_nobody_else_has_in_hand_may_be_claimed
            ];
            reopen: [
                what_ended_is_scheduled_again_as_it_was, a_range_is_walked_in_steps,
                only_what_was_asked_for_is_reopened, what_is_missed_ends_when_it_is_acknowledged
            ];
            settle: [
                waiting_deliveries_are_held_released_and_cancelled, they_are_moved_in_steps_the_oldest_first,
                what_is_in_hand_is_not_moved, nothing_else_is_moved
            ];
            retention: [
                old_events_go_with_all_that_is_theirs, what_waits_stays, what_has_no_rows_yet_stays,
                a_late_record_of_what_is_gone_is_harmless, attempts_go_before_their_deliveries,
                old_entries_of_the_trail_go, space_is_told
            ];
            recovery: [what_has_no_row_is_found, what_has_no_row_is_found_in_parts, the_backlog_is_counted];
            control: [
                a_subscription_comes_back_as_it_was, a_change_of_an_old_version_is_refused, standing_is_told_by_number,
                a_subscription_id_is_taken_once,
                subscriptions_are_found_by_number, ended_subscriptions_are_set_aside,
                subscriptions_are_listed_by_filters, many_subscriptions_are_listed_page_by_page,
                a_subscription_cursor_outlives_a_delete, event_types_are_put_and_deleted
            ];
            key: [keys_are_inserted_once_and_deleted, keys_keep_what_they_may_do, the_last_use_of_keys_is_noted];
            sealing: [
                a_store_is_opened_with_all_keys_in_use_alone, what_is_sealed_again_needs_the_former_key_no_more,
                a_key_that_sealed_nothing_is_forgotten_too
            ];
            audit: [
                an_entry_is_written_with_each_change, what_changes_nothing_leaves_no_entry,
                entries_are_listed_by_filters, entries_are_listed_page_by_page, the_trail_outlives_its_account
            ];
            account: [
                settings_are_kept_and_told, settings_go_with_their_account,
                accounts_are_listed_with_what_they_hold, an_account_that_holds_nothing_is_none,
                a_deleted_account_leaves_nothing, a_deleted_account_may_begin_anew, a_deletion_may_be_begun_again,
                late_records_of_a_deleted_account_are_dropped, a_large_account_goes_in_steps
            ];
            event: [
                events_are_found_by_their_id, an_own_id_replaces_the_generated_one, events_are_listed_page_by_page,
                events_are_listed_by_account_and_type, events_are_listed_by_time
            ];
            delivery: [
                deliveries_are_found_by_their_keys, deliveries_are_listed_by_filters,
                deliveries_are_listed_page_by_page, a_cursor_without_a_row_gives_an_empty_page,
                deliveries_outlive_their_subscription
            ];
            node: [a_node_is_seen_once_it_has_joined];
            model: [random_work_agrees_with_a_plain_model];
        }
    };
    (@tests $place:path; $($module:ident: [$($behaviour:ident),*];)*) => {
        $(mod $module {
            use super::*;
            $(#[test]
            fn $behaviour() {
                $crate::run($place(), $crate::$module::$behaviour);
            })*
        })*
    };
}

/// The same for what a store must do besides when several nodes share it.
#[macro_export]
macro_rules! shared_suite {
    ($place:path) => {
        $crate::shared_suite! { @tests $place;
            lease: [
                nodes_join_renew_and_leave, nodes_that_join_at_the_same_time_are_different,
                a_node_that_nobody_took_over_goes_on, a_node_that_was_taken_over_is_refused
            ];
            takeover: [
                events_are_taken_over, waiting_deliveries_are_taken_over,
                a_taker_that_dies_is_taken_over_with_what_it_took, what_another_node_has_in_hand_is_not_claimed,
                what_another_node_has_in_hand_is_not_reopened
            ];
            together: [
                sequences_have_no_gaps_although_several_nodes_give_them, nodes_that_commit_at_once_share_a_sequence,
                an_id_that_another_node_was_given_is_taken, counters_of_several_nodes_go_together,
                an_account_that_another_node_deleted_may_begin_anew
            ];
            change: [
                all_see_changes_in_their_order, changes_are_seen_in_parts,
                an_account_that_began_anew_keeps_what_it_has, no_change_is_left_out_although_many_are_made_at_once,
                settings_are_seen_and_uses_of_keys_are_not, others_are_told
            ];
            sealing: [nodes_seal_again_beside_those_that_write_with_the_former_key];
            emitted: [
                what_is_emitted_is_read_as_it_was_given, what_is_rolled_back_was_never_emitted,
                emitted_events_are_accepted_once, accounts_are_shared_out_among_nodes, what_is_refused_is_set_aside
            ];
        }
    };
    (@tests $place:path; $($module:ident: [$($behaviour:ident),*];)*) => {
        mod shared {
            use super::*;
            $(mod $module {
                use super::*;
                $(#[test]
                fn $behaviour() {
                    $crate::run($place(), $crate::shared::$module::$behaviour);
                })*
            })*
        }
    };
}

#[cfg(test)]
mod tests {
    /// Whoever writes a behaviour and forgets its line would believe it tested.
    #[test]
    fn every_behaviour_is_listed() {
        let list = include_str!("suite.rs");
        let sources = [
            include_str!("log.rs"),
            include_str!("record.rs"),
            include_str!("lease.rs"),
            include_str!("settle.rs"),
            include_str!("reopen.rs"),
            include_str!("retention.rs"),
            include_str!("recovery.rs"),
            include_str!("control.rs"),
            include_str!("key.rs"),
            include_str!("account.rs"),
            include_str!("audit.rs"),
            include_str!("sealing.rs"),
            include_str!("event.rs"),
            include_str!("delivery.rs"),
            include_str!("model/mod.rs"),
            include_str!("node.rs"),
            include_str!("shared/lease.rs"),
            include_str!("shared/takeover.rs"),
            include_str!("shared/together.rs"),
            include_str!("shared/change.rs"),
            include_str!("shared/sealing.rs"),
            include_str!("shared/emitted.rs"),
        ];
        let behaviours = sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(|line| line.strip_prefix("pub async fn ").and_then(|rest| rest.split('(').next()));
        let missing: Vec<&str> = behaviours.filter(|name| !list.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
