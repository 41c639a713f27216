"""Answers, for every graph on stdin, what networkx makes of it: generations, cycles and ancestors.

A line in: {"nodes": [name], "edges": [[from, to]]}. A line out: {"dag", "generations", "reversed", "cycles", "ancestors"}.
"""

import json
import sys

import networkx


def layers(graph):
    return [sorted(layer) for layer in networkx.topological_generations(graph)]


def shortest(graph):
    return min(1 + networkx.shortest_path_length(graph, to, back) for back, to in graph.edges)


for line in sys.stdin:
    case = json.loads(line)
    graph = networkx.DiGraph()
    graph.add_nodes_from(case["nodes"])
    graph.add_edges_from(case["edges"])
    dag = networkx.is_directed_acyclic_graph(graph)
    answer = {
        "dag": dag,
        "generations": layers(graph) if dag else [],
        "reversed": layers(graph.reverse()) if dag else [],
        # The length of a shortest cycle of each group that is tied together, sorted.
        "cycles": sorted(
            shortest(graph.subgraph(group))
            for group in networkx.strongly_connected_components(graph)
            if len(group) > 1
        ),
        "ancestors": {node: sorted(networkx.ancestors(graph, node)) for node in case["nodes"]},
    }
    print(json.dumps(answer))
