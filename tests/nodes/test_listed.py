"""The nodes list each other."""

from harness.api import expect
from harness.server import ringbolt
from harness.waiting import eventually


def test_the_nodes_list_each_other(nodes):
    one, other = nodes.all
    listed = {node["name"]: node for node in expect(200, one.api.get("/nodes"))["data"]}
    assert sorted(listed) == ["node-0", "node-1"]
    assert listed["node-0"]["isThis"] and not listed["node-1"]["isThis"]
    assert listed["node-0"]["incarnation"] != listed["node-1"]["incarnation"] and listed["node-0"]["slot"] != listed["node-1"]["slot"]
    assert all(0 < node["leaseLeftMs"] <= 5_000 for node in listed.values()), listed
    assert listed["node-1"]["address"] == other.url
    assert one.api.get("/health").json()["lease"] == {"held": True}
    shown = ringbolt("nodes", cwd=one.folder, **one.settings)
    assert shown.returncode == 0 and "node-0" in shown.stdout and "node-1" in shown.stdout, shown
    other.kill()
    left = lambda: [node for node in one.api.get("/nodes").json()["data"] if node["name"] == "node-1" and not node.get("leaseLeftMs")]  # noqa: E731
    eventually(left, what="its lease runs out")
