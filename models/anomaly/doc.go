// Package anomaly looks for the anomalies of Jepsen's kafka workload, and for some of our own, in a history: what needs no search.
//
// It owns one function an anomaly, over an index of the history, and CheckHistory, which runs them and the porcupine models. It promises
// to count what it compared, to excuse nothing that the history's own notes do not excuse, and to keep its answer for a history the same.
//
//	JSONL ─▶ history.ReadAll ─▶ index (calls, observations by key) ─▶ checkers ─▶ Results
//	                                                              └─▶ models.Check ─▶
//
// Source of the definitions: jepsen.tests.kafka. Next: index.go, then any checker.
package anomaly
