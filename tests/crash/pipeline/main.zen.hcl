zenctl {
  project = "crash"
}

datasource "csv" "points" {
  path = "points.csv"
}

step "split" "points" {
  inputs = { data = datasource.csv.points }
  ratio  = { train = 0.75, eval = 0.25 }
  seed   = 3
}

step "python" "fit" {
  code   = "steps/line.py:fit"
  inputs = { train = step.split.points.train }
}

step "python" "score" {
  code   = "steps/line.py:score"
  inputs = { model = step.python.fit.model, eval = step.split.points.eval }
}

endpoint "local" "line" {
  model = step.python.fit.model
}

output "error" {
  value = step.python.score.result.value
}
