"""measure_costs: space -> cost tables, and whether every budget can be kept."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.measure_costs.nodes import check_budgets, count_costs, measure_latency, summarise_space


def create_pipeline(**_: object) -> Pipeline:
    """Count, measure, check. A stage that must not start on an impossible budget waits for ``budgets_checked``."""
    return pipeline(
        [
            node(
                summarise_space,
                inputs=["search_space", "params:seed"],
                outputs="space_summary",
                name="summarise_space",
            ),
            node(
                count_costs,
                inputs="search_space",
                outputs="cost_table",
                name="count_costs",
            ),
            node(
                measure_latency,
                inputs=["search_space", "params:costs", "params:seed", "params:table"],
                outputs=["latency_table", "latency_check"],
                name="measure_latency",
            ),
            node(
                check_budgets,
                inputs={
                    "cost_table": "cost_table",
                    "latency_table": "latency_table",
                    "search_space": "search_space",
                    "search": "params:search",
                },
                outputs=["feasibility", "budgets_checked"],
                name="check_budgets",
            ),
        ]
    )
