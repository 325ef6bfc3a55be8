import NIOCore
import PlueConfig
import Testing

@testable import PlueDaemon

/// One open stream of events.
@Suite struct EventListenerTests {
    private func event(_ version: Int) -> Event { Event("version", ["version": .integer(version)], version: version) }

    private func heard(_ listener: EventListener) async -> [String] {
        var heard: [String] = []
        for await event in listener.events { heard.append(String(buffer: event).split(separator: "\n").prefix(2).joined(separator: " ")) }
        return heard
    }

    @Test func `What comes while the state is looked at is neither lost nor told twice`() async {
        let listener = EventListener()
        for version in 4...6 { #expect(listener.tell(event(version).encoded, version: version)) }
        #expect(listener.tell(Event("attempt", [:]).encoded, version: nil))
        listener.begin(with: Event("state", [:], version: 5), after: nil)
        #expect(listener.tell(event(7).encoded, version: 7))
        listener.end("")
        #expect(
            await heard(listener) == ["id: 5 event: state", "id: 6 event: version", "event: attempt data: {}", "id: 7 event: version"])
    }

    @Test func `Who comes back is told every version before the state`() async {
        let listener = EventListener()
        for version in 4...6 { #expect(listener.tell(event(version).encoded, version: version)) }
        // The history was replayed up to 4.
        listener.begin(with: Event("state", [:], version: 5), after: 4)
        listener.end("")
        #expect(await heard(listener) == ["id: 5 event: version", "id: 5 event: state", "id: 6 event: version"])
    }

    @Test(arguments: [true, false]) func `Who takes nothing is cut with the reason, and what was queued is still told`(_ hasBegun: Bool)
        async
    {
        let listener = EventListener()
        if hasBegun { listener.begin(with: Event("state", [:], version: 1), after: nil) }
        var told = 0
        while told < 1000, listener.tell(event(told + 2).encoded, version: told + 2) { told += 1 }
        #expect(told >= EventListener.mostWaiting - 1 && told <= EventListener.mostWaiting)
        #expect(listener.reason == "more than 64 events were not taken in time")
        #expect(!listener.tell(event(2000).encoded, version: 2000))
        #expect(await heard(listener).count == (hasBegun ? 64 : 0))
    }
}
