zenctl {
  project = "machines"
  defaults { orchestrator = backend.local.here }
}

backend "local" "here" {}

step "python" "one" {
  code = "steps.py:one"
}

step "python" "two" {
  code   = "steps.py:two"
  params = { n = step.python.one.result }
}

step "python" "three" {
  code   = "steps.py:three"
  params = { n = 3 }
}
