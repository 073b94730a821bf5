package debug

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seedlog/seedlog/io/clock"
)

// Session carries out commands, on as many runs of one plan as going back takes.
type Session struct {
	Open   func() (World, error) // starts a fresh run
	Out    io.Writer
	Prompt bool // a person types the commands; else each is printed before what it gives

	world   World
	at      Stop
	marks   map[int64]string
	strayed bool // a run was not the same as one before
	failed  bool // a command was wrong
	over    bool // quit was said
}

// Run takes commands, one a line or between semicolons, and none on a line that begins with #, until the input or quit ends it. It says false if a command was wrong or a run was
// not the same as another.
func (s *Session) Run(in io.Reader) (ok bool, err error) {
	s.marks = map[int64]string{}
	defer s.leave()
	lines := bufio.NewScanner(in)
	for s.prompt(); !s.over && lines.Scan(); s.prompt() {
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "#") {
			continue
		}
		for _, c := range strings.Split(lines.Text(), ";") {
			s.do(strings.Fields(c))
		}
	}
	if s.Prompt && !s.over {
		fmt.Fprintln(s.Out)
	}
	return !s.strayed && !s.failed, lines.Err()
}

func (s *Session) prompt() {
	if s.Prompt && !s.over {
		fmt.Fprintf(s.Out, "(%s, event %d) ", seconds(s.at.At), s.at.Event)
	}
}

// do carries out one command.
func (s *Session) do(words []string) {
	if len(words) == 0 || s.over {
		return
	}
	if !s.Prompt {
		fmt.Fprintf(s.Out, "> %s\n", strings.Join(words, " "))
	}
	if err := s.command(words[0], words[1:]); err != nil {
		s.failed = true
		fmt.Fprintln(s.Out, "error:", err)
	}
}

func (s *Session) command(name string, args []string) error {
	c := find(name)
	switch {
	case c == nil:
		return fmt.Errorf("unknown command %q; help lists them", name)
	case c.move != nil:
		return c.move(s, args)
	}
	if err := s.enter(); err != nil {
		return err
	}
	text, err := s.world.Show(name, args)
	if err != nil {
		return s.lost(err)
	}
	_, err = io.WriteString(s.Out, text)
	return err
}

// enter makes sure that there is a run, and that it stands where the session does.
func (s *Session) enter() error {
	if s.world != nil {
		return nil
	}
	w, err := s.Open()
	if err != nil {
		return err
	}
	s.world = w
	if s.at.Event == 0 {
		return nil
	}
	stop, err := w.Go(Target{Until: Event, Event: s.at.Event})
	if err != nil {
		return s.lost(err)
	}
	s.check(stop)
	return nil
}

// leave lets the run go.
func (s *Session) leave() {
	if s.world != nil {
		s.world.Close()
		s.world = nil
	}
}

// lost says what to do where a run's process has ended.
func (s *Session) lost(err error) error {
	var g *Gone
	if !errors.As(err, &g) {
		return err
	}
	s.leave()
	return fmt.Errorf("%w\nthe session still stands at event %d: the next command runs to there again; event N goes closer", err, s.at.Event)
}

// goTo goes to a target, by a fresh run if it lies before.
func (s *Session) goTo(t Target, before bool) error {
	was := s.at
	if before {
		s.leave()
		s.at = Stop{}
	}
	if err := s.enter(); err != nil {
		s.at = was
		return err
	}
	stop, err := s.world.Go(t)
	if err != nil {
		s.at = was
		return s.lost(err)
	}
	s.check(stop)
	s.at = *stop
	s.at.Marks = nil
	s.tell()
	return nil
}

func (s *Session) tell() {
	fmt.Fprintf(s.Out, "at %s, event %d\n", seconds(s.at.At), s.at.Event)
	for _, line := range s.at.Found {
		fmt.Fprintln(s.Out, " ", line)
	}
	if s.at.Over != "" {
		fmt.Fprintln(s.Out, s.at.Over)
	}
}

// check compares the marks of a run with those of the runs before.
func (s *Session) check(stop *Stop) {
	same := int64(0)
	for _, m := range stop.Marks {
		was, known := s.marks[m.Event]
		switch {
		case !known:
			s.marks[m.Event] = m.Hash
		case was == m.Hash:
			same = m.Event
		default:
			s.strayed = true
			fmt.Fprintf(s.Out, "NOT THE SAME RUN: after event %d the hash of the trace is %s, and was %s when this session was there before (they agree after event %d).\n"+
				"WHAT IS SHOWN FROM HERE ON IS OF ANOTHER RUN. Is this build/sim, made with the overlay? `sim twice` looks into it.\n", m.Event, m.Hash, was, same)
			return
		}
	}
}

func (s *Session) to(args []string) error {
	if len(args) != 1 {
		return errors.New("to takes a time, such as 26.437s or 900ms")
	}
	at, err := instant(args[0])
	if err != nil {
		return err
	}
	return s.goTo(Target{Until: Time, At: at}, at < s.at.At)
}

// instant reads a time or a span: with its unit, or in seconds.
func instant(arg string) (clock.Time, error) {
	if _, err := strconv.ParseFloat(arg, 64); err == nil {
		arg += "s"
	}
	d, err := time.ParseDuration(arg)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("time %q; use one such as 26.437s or 900ms", arg)
	}
	return clock.Time(d), nil
}

func (s *Session) event(args []string) error {
	if len(args) != 1 {
		return errors.New("event takes the number of an event, as where gives it")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("event %q; use a number from 0 on, as where gives it", args[0])
	}
	return s.goTo(Target{Until: Event, Event: n}, n < s.at.Event)
}

func (s *Session) violation(args []string) error {
	if len(args) > 0 {
		return errors.New("violation takes nothing")
	}
	return s.goTo(Target{Until: End}, false)
}

func (s *Session) until(args []string) error {
	if len(args) == 0 {
		return errors.New("until takes a text of the trace, such as: until n2 node killed")
	}
	if err := s.goTo(Target{Until: Text, Text: strings.Join(args, " ")}, false); err != nil {
		return err
	}
	if len(s.at.Found) == 0 {
		return fmt.Errorf("no event with %q until the run's end; back, or event N, and then until", strings.Join(args, " "))
	}
	return nil
}

func (s *Session) change(args []string) error {
	t := Target{Until: Change, Count: 1}
	usage := errors.New("change takes a node and a partition, and how many changes: change 2 t0/0 10")
	if len(args) < 2 || len(args) > 3 || !strings.Contains(args[1], "/") {
		return usage
	}
	var err, wrong error
	if t.Node, err = strconv.Atoi(strings.TrimPrefix(args[0], "n")); len(args) == 3 {
		t.Count, wrong = strconv.ParseInt(args[2], 10, 64)
	}
	if err != nil || wrong != nil || t.Node < 1 || t.Count < 1 {
		return usage
	}
	t.Key = args[1]
	return s.goTo(t, false)
}

func (s *Session) next(args []string) error { return s.by(args, 1) }
func (s *Session) back(args []string) error { return s.by(args, -1) }

// by goes forward or back by events or by a time.
func (s *Session) by(args []string, way int64) error {
	if len(args) > 1 {
		return errors.New("next and back take a number of events, or a time such as 20ms")
	}
	n := int64(1)
	if len(args) == 1 {
		var err error
		if n, err = strconv.ParseInt(args[0], 10, 64); err != nil {
			d, err := instant(args[0])
			if err != nil {
				return err
			}
			return s.goTo(Target{Until: Time, At: max(0, s.at.At+clock.Time(way)*d)}, way < 0)
		}
	}
	if n < 0 {
		return fmt.Errorf("%d events; use a number from 0 on", n)
	}
	if way > 0 && s.at.Over != "" {
		return errors.New("the run is over; back, event N or to TIME go to what was before")
	}
	return s.goTo(Target{Until: Event, Event: max(0, s.at.Event+way*n)}, way < 0)
}

func (s *Session) help([]string) error {
	_, err := io.WriteString(s.Out, Help())
	return err
}

func (s *Session) quit([]string) error {
	s.over = true
	return nil
}
