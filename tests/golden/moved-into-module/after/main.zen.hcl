zenctl {
  project = "tiny"
}

module "ranking" {
  source = "./ranking"
}

moved {
  from = datasource.csv.heights
  to   = module.ranking.datasource.csv.heights
}

moved {
  from = step.python.tallest
  to   = module.ranking.step.python.tallest
}

moved {
  from = step.python.count
  to   = module.ranking.step.python.count
}

output "count" {
  value = module.ranking.count
}
