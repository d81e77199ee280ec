from tests.claims.throwaway import project as project
