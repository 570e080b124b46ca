package ledgermodel

const workerEnv = "LEDGER_TEST_WORKER"

func work(string) int { return 1 }
