"""What rival explanations do to the p-value of a verdict, which the correction for many claims sees."""

import cxresearch as cx


def test_a_survived_negative_control_does_not_enter_the_p_value():
    world = cx.worlds.World(hr_bad=(1, 2, 3, 4), other_hazard=0.0006)
    study = cx.worlds.simulate(world, 2000, seed=1).study()
    trials = cx.evaluate(
        study, ["bad-moments-drive-away"], alone=True, keep=False, verdicts_only=True
    )
    trial = trials["bad-moments-drive-away"]
    control = next(r for r in trial.rivals if r.id == "other-exits")
    assert (trial.verdict_alone, control.status, len(control.rows)) == ("supported", "survived", 1)
    # the correction for many claims leaves alone what is above the level by itself
    assert trial.primary.p < 0.05
