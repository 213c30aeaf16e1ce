-- SPDX-License-Identifier: MIT
-- Where the kernel's count of its OOM kills is found.
local import = require "spec.support.import"
local oom_kills = import "main.oom_kills"

describe("the kernel's OOM kills", function()
  local function count(files)
    return oom_kills.count(function(path) return files[path] end)
  end

  it("are counted for the group of a unified hierarchy", function()
    assert.equal(3, count {
      ["/proc/self/cgroup"] = "0::/user.slice/app\n",
      ["/sys/fs/cgroup/user.slice/app/memory.events"] = "low 0\noom 5\noom_kill 3\n",
      ["/proc/vmstat"] = "oom_kill 9\n",
    })
  end)

  it("are counted for the group of the memory controller", function()
    assert.equal(4, count {
      ["/proc/self/cgroup"] = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n",
      ["/sys/fs/cgroup/memory/a/b/memory.oom_control"] = "under_oom 0\noom_kill 4\n",
      ["/proc/vmstat"] = "oom_kill 9\n",
    })
  end)

  it("are counted at the root of what a container sees", function()
    assert.equal(5, count {
      ["/proc/self/cgroup"] = "0::/host/only\n",
      ["/sys/fs/cgroup/memory.events"] = "oom_kill 5",
    })
    assert.equal(6, count {
      ["/proc/self/cgroup"] = "4:memory:/host/only\n",
      ["/sys/fs/cgroup/memory/memory.oom_control"] = "oom_kill 6",
    })
  end)

  it("are the machine's where no group counts them, or none", function()
    assert.equal(9, count { ["/proc/vmstat"] = "nr_free 7\noom_kill 9\npgfault 1\n" })
    assert.equal(0, count { ["/proc/vmstat"] = "nr_free 7\n" })
    assert.equal(0, count {})
  end)

  it("are more when there are more", function()
    oom_kills.begin()
    assert.is_false(oom_kills.has_more())
  end)
end)
