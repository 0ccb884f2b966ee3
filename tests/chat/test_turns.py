from app.chat.turns import FOLLOWING, TurnState, states_before


def test_five_states_are_final() -> None:
    assert {state for state in TurnState if state.final} == {
        TurnState.COMPLETE, TurnState.STOPPED, TurnState.FAILED, TurnState.INTERRUPTED, TurnState.TRUNCATED,
    }  # fmt: skip


def test_a_waiting_turn_can_only_run_or_end_without_an_answer() -> None:
    assert TurnState.COMPLETE not in FOLLOWING[TurnState.QUEUED]
    assert TurnState.TRUNCATED not in FOLLOWING[TurnState.QUEUED]


def test_every_final_state_can_be_reached_from_running_only_or_from_queued_too() -> None:
    for state in TurnState:
        if state.final:
            assert TurnState.RUNNING in states_before(state)
            assert not any(before.final for before in states_before(state))
