-- SPDX-License-Identifier: MIT
-- Runs the specs by busted, inside the executable: `lunette spec/run.lua [options] [paths]`.
package.path = "./?.lua;" .. package.path
require "busted.runner" { standalone = false }
os.exit(0)
