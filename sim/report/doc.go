// Package report tells of one run of the simulator: one HTML file that opens anywhere without a network, and a twin in JSON Lines.
//
// It owns the words: what each property promises (guarantees.go), what each class of fault does (faults.go), the sentence of the verdict
// (verdict.go), and the page (page.html, page.css, page.js, embedded). It takes a Run, which is plain data, and imports nothing that was
// simulated. It promises the same bytes for the same Run: no clock, no machine, no order of a map.
//
//	cluster ──Observer──▶ run.account ──▶ Run ──┬─ WriteHTML ──▶ FILE.html
//	                                            └─ WriteLines ─▶ FILE.jsonl ──ReadLines──▶ Compare
//
// Next: data.go, then html.go.
package report
