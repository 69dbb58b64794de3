"""What the reference page of revenue and health asks of each table is there, under our names: instants end in _at, units stand last."""

from __future__ import annotations

import pytest

from opsledger.projections.catalog import projections, views

ASKED = {
    "subscription_current": "customer_id plan_id plan_version state end_reason entitled quantity mrr_minor currency trial_ends_at "
    "period_starts_at period_ends_at cancel_at scheduled_change_at scheduled_plan_id",
    "subscription_history": "subscription_id seq state_from state_to valid_from_at valid_to_at recorded_at",
    "mrr_movements": "customer_id occurred_at seq movement_type amount_minor currency rate amount_reporting_minor subscription_id reason "
    "mrr_before_minor mrr_after_minor",
    "mrr_monthly": "month currency plan_id segment mrr_start_minor new_minor reactivation_minor expansion_minor contraction_minor "
    "churn_minor fx_impact_minor mrr_end_minor past_due_minor paused_minor arr_minor",
    "customer_month": "customer_id month mrr_start_minor mrr_end_minor is_active is_new is_churned is_reactivated cohort_month",
    "churn_monthly": "month customers_start customers_new churned_voluntary churned_involuntary customers_reactivated logo_churn_bp "
    "gross_mrr_churn_bp net_mrr_churn_bp",
    "retention_cohort": "cohort_month age_months cohort_customers retained logo_retention_bp cohort_mrr_minor grr_bp nrr_bp",
    "trial_funnel": "cohort_month trials converted conversion_bp days_to_convert",
    "renewal_calendar": "subscription_id renewal_on days_left reminders_sent forecast_bp",
    "cancellation_reasons": "month reason wishes mrr_minor offered saved",
    "usage_period": "subscription_id meter period_starts_at quantity events late_events corrected_quantity knowledge_cutoff_at",
    "survey_scores": "survey_type scope period invited responded response_rate_bp promoters passives detractors nps_x100 se_x100 csat_bp "
    "ces_x100 null_reason",
    "customer_activity_day": "customer_id day dau wau mau seats dau_mau_bp features_used cases api_calls api_errors",
    "health_score": "customer_id as_of_day model_version score_x10 band coverage_bp stage trend_28d_x10 override_score_x10 "
    "override_expires_at final_score_x10",
    "health_contribution": "customer_id as_of_day model_version metric raw_value subscore_bp weight_bp contribution_x10 deduction_x10 "
    "missing_reason evidence_count first_position final_position evidence_sha256",
    "onboarding_progress": "customer_id open_phase progress_bp go_live_on days_late ttv_days status",
    "onboarding_activity": "customer_id activity due_on completed_at skipped_reason",
    "customer": "customer_id segment customer_success_manager_id technical_account_manager_id support_specialist_id",
}


@pytest.mark.parametrize("table", ASKED)
def test_what_was_asked_of_a_table_is_there_with_the_position_up_to_which_it_knows(table: str) -> None:
    declared = {each.name: each for projection in projections() for each in projection.tables} | {each.name: each for each in views()}
    assert set(ASKED[table].split()) | {"last_position"} <= {column.name for column in declared[table].columns}
