import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/** Counts words, exactly once, until it is killed: each word of "words" becomes one record of "counts" with the number of times it was there. */
public class Streams {
    public static void main(String[] args) {
        var b = new StreamsBuilder();
        b.stream("words", Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((k, v) -> v, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("store"))
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        var p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("application.id", "wordcount");
        p.put("state.dir", args[1]);
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("commit.interval.ms", 50);
        p.put("statestore.cache.max.bytes", 0); // a record for each change
        p.put("replication.factor", Integer.parseInt(args[2]));
        p.put("num.stream.threads", 2);
        p.put("auto.offset.reset", "earliest");
        p.put("session.timeout.ms", 6000);
        p.put("heartbeat.interval.ms", 500);
        p.put("metadata.max.age.ms", 1000);
        var s = new KafkaStreams(b.build(), p);
        s.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        s.setStateListener((now, before) -> System.out.println(now));
        s.start();
    }
}
