// Package process starts real processes and ends them, for programs and tests that break them on purpose.
//
// It owns the Thread, a thread of the operating system that may live in namespaces of its own, and the Process, which a Thread starts. It
// promises that a process does not outlive the Thread that started it, nor the program, whatever ends that (SIGKILL too), and that mounts
// which a Thread made for itself are gone with it. It signals only what it started.
//
//	Thread.Do(f) ── f runs there ──▶ Start(thread, cmd) ──▶ Process: Signal, Kill, Done, Code
//
// Linux only. Next: thread.go, then package netns for networks between such threads.
package process
