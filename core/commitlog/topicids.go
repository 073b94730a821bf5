package commitlog

import (
	"encoding/base64"

	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// TopicName says which topic has a name. Kafka's checkpoints name topics only; a file of these beside them says whose offsets they hold,
// so that those of a deleted topic are not taken for those of a new one of the same name.
type TopicName struct {
	Topic string
	ID    [16]byte
}

// AppendTopicNames adds the text of such a file: version 0, count, and "topic id" on each line, the id as in partition.metadata.
func AppendTopicNames(dst []byte, list []TopicName) []byte {
	from := len(dst)
	dst = appendCount(dst, len(list))
	for i := range list {
		dst = append(append(dst, list[i].Topic...), ' ')
		dst = append(base64.RawURLEncoding.AppendEncode(dst, list[i].ID[:]), '\n')
	}
	return appendSum(dst, from)
}

// ParseTopicNames reads the text of such a file.
func ParseTopicNames(text []byte) ([]TopicName, error) {
	var list []TopicName
	ok := parseLines(text, 2, func(f [][]byte) bool {
		x := TopicName{Topic: string(f[0])}
		raw, err := base64.RawURLEncoding.DecodeString(string(f[1]))
		copy(x.ID[:], raw)
		list = append(list, x)
		return err == nil && len(raw) == len(x.ID)
	})
	if !ok {
		return nil, ErrCheckpoint
	}
	return list, nil
}

// WriteTopicNames replaces such a file.
func WriteTopicNames(t *task.Task, path string, list []TopicName) error {
	dir := parent(path)
	c := replaceFile(t, t.Env(), dir, path[len(dir)+1:], AppendTopicNames(nil, list))
	if c.Err != disk.OK {
		return wrap("write "+path, &c)
	}
	return nil
}

// ReadTopicNames reads such a file; found is false if there is none. ErrCheckpoint says that it is damaged.
func ReadTopicNames(t *task.Task, path string) (list []TopicName, found bool, err error) {
	b, c := readFile(t, t.Env(), path)
	if c.Err == disk.ErrNotExist {
		return nil, false, nil
	}
	if c.Err != disk.OK {
		return nil, true, wrap("read "+path, &c)
	}
	list, err = ParseTopicNames(b)
	return list, true, err
}
