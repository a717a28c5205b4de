from kedro.pipeline import Pipeline, node

from toy import nodes


def register_pipelines():
    return {
        "__default__": Pipeline(
            [
                node(nodes.make, "params:letters", "text", name="make"),
                node(nodes.work, ["text", "params:seconds", "params:ending", "work_folder"], "worked", name="work"),
                node(nodes.report, "worked", "report", name="report"),
            ]
        )
    }
