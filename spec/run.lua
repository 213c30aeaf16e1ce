-- SPDX-License-Identifier: MIT
-- Runs the specs by busted, inside the executable: `lunette spec/run.lua [busted's options] [paths]`.
package.path = "./?.lua;" .. package.path
require "busted.runner" { standalone = false }
os.exit(0)
