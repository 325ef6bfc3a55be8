import PlueConfig
import PlueLedger
import PlueTesting
import Testing

@Suite("Both recorders keep the protocol's promises")
struct ConformanceTests {
    @Test("in memory", arguments: RecorderConformance.checks)
    func memory(_ check: RecorderConformance.Check) async throws {
        try await check.run(on: MemoryRecorder())
    }

    @Test("in the ledger", arguments: RecorderConformance.checks)
    func ledger(_ check: RecorderConformance.Check) async throws {
        try await withScratch { directory in try await check.run(on: Ledger.open(directory)) }
    }
}
