"""What librdkafka's transactional clients see: commits, aborts, a fenced producer, and offsets in transactions."""
import sys
import time
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

addr, rounds = sys.argv[1], int(sys.argv[2])
SOURCE, SINK = 'rdk-source', 'rdk-sink'


def producer(txid):
    p = Producer({'bootstrap.servers': addr, 'transactional.id': txid, 'linger.ms': 1, 'transaction.timeout.ms': 60000})
    p.init_transactions(60)
    return p


def some(c, count):
    """Up to so many messages, at least one; none comes within 30 s: an error."""
    until = time.monotonic() + 30
    while True:
        ms = c.consume(count, 0.2)
        if ms:
            return ms
        assert time.monotonic() < until, 'no records within 30 s'


def read(topic, isolation, group='rdk-reader'):
    """All values of a topic, up to the ends that it has now. A commit is answered before its last marker is written: that is waited for."""
    look = Consumer({'bootstrap.servers': addr, 'group.id': group, 'isolation.level': 'read_uncommitted'})
    ends = {n: look.get_watermark_offsets(TopicPartition(topic, n), 30)[1] for n in look.list_topics(topic).topics[topic].partitions}
    look.close()
    c = Consumer({'bootstrap.servers': addr, 'group.id': group, 'isolation.level': isolation, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False,
                  'enable.partition.eof': True, 'check.crcs': True})
    c.assign([TopicPartition(topic, n, 0) for n in ends])
    out, ended = [], set()
    while len(ended) < len(ends):
        for m in some(c, 1000):
            if m.error():
                assert m.error().name() == '_PARTITION_EOF', m.error()
                if m.offset() >= ends[m.partition()]:
                    ended.add(m.partition())
            else:
                out.append(m.value().decode())
    c.close()
    return sorted(out)


def committed_and_aborted():
    p, kept, every = producer('rdk-writer'), [], []
    for i in range(rounds):
        p.begin_transaction()
        for j in range(5):
            v = 'w%d-%d' % (i, j)
            p.produce(SOURCE, v, str(j))
            every.append(v)
            if i % 3:
                kept.append(v)
        if i % 3:
            p.commit_transaction(60)
        else:
            assert p.flush(60) == 0
            p.abort_transaction(60)
    assert read(SOURCE, 'read_committed') == sorted(kept)
    assert read(SOURCE, 'read_uncommitted') == sorted(every)
    return kept


def fenced():
    first = producer('rdk-fenced')
    first.begin_transaction()
    first.produce('rdk-fence', 'of the first')
    assert first.flush(60) == 0
    second = producer('rdk-fenced')
    second.begin_transaction()
    second.produce('rdk-fence', 'of the second')
    second.commit_transaction(60)
    try:
        first.commit_transaction(60)
        raise SystemExit('a fenced producer commits')
    except KafkaException as e:
        assert e.args[0].fatal(), e
    assert read('rdk-fence', 'read_committed') == ['of the second']


def offsets(kept):
    """Copies one topic into another, offsets and records in one transaction; every third one is aborted and begun again."""
    p = producer('rdk-copier')
    c = Consumer({'bootstrap.servers': addr, 'group.id': 'rdk-copy', 'isolation.level': 'read_committed', 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
    c.subscribe([SOURCE])
    done, n = 0, 0
    while done < len(kept):
        ms = [m for m in some(c, 7) if not m.error()]
        p.begin_transaction()
        for m in ms:
            p.produce(SINK, m.value(), m.key())
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 60)
        n += 1
        if n % 3:
            p.commit_transaction(60)
            done += len(ms)
            continue
        p.abort_transaction(60)
        for tp in c.committed(c.assignment(), 60):
            c.seek(TopicPartition(tp.topic, tp.partition, max(tp.offset, 0)))
    c.close()
    assert read(SINK, 'read_committed') == sorted(kept)


offsets(committed_and_aborted())
fenced()
print('ok')
